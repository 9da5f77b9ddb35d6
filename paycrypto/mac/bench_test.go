package mac_test

import (
	"bytes"
	"testing"

	"touchstone/paycrypto/mac"
)

// keyFor makes a Key of the right length from published demonstration bytes.
func keyFor(t testing.TB, a mac.Algorithm, p mac.Padding) *mac.Key {
	t.Helper()
	demo := bytes.Repeat([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0xFE, 0xDC, 0xBA, 0x98, 0x76, 0x54, 0x32, 0x10}, 2)
	for _, n := range []int{8, 16, 32} {
		if k, err := mac.New(a, p, demo[:n]); err == nil {
			return k
		}
	}
	t.Fatalf("no demonstration key fits %v", a)
	return nil
}

func benchmarkSum8(b *testing.B, a mac.Algorithm) {
	k := keyFor(b, a, 0)
	mab := bytes.Repeat([]byte{0x02, 0x00, 0x30, 0x24, 0x04}, 40)
	b.ReportAllocs()
	for b.Loop() {
		k.Sum8(mab)
	}
}

func BenchmarkUnionPayMAC200(b *testing.B)     { benchmarkSum8(b, mac.UnionPayECBDES) }
func BenchmarkUnionPayTDESMAC200(b *testing.B) { benchmarkSum8(b, mac.UnionPayECBTDES) }
func BenchmarkUnionPaySM4MAC200(b *testing.B)  { benchmarkSum8(b, mac.UnionPayECBSM4) }
func BenchmarkX99MAC200(b *testing.B)          { benchmarkSum8(b, mac.X99) }
func BenchmarkX919MAC200(b *testing.B)         { benchmarkSum8(b, mac.X919) }
func BenchmarkCMACAES200(b *testing.B)         { benchmarkSum8(b, mac.CMACAES) }

func BenchmarkVerifyUnionPayMAC200(b *testing.B) {
	k := keyFor(b, mac.UnionPayECBDES, 0)
	mab := bytes.Repeat([]byte{0x02, 0x00, 0x30, 0x24, 0x04}, 40)
	de64 := k.Sum8(mab)
	b.ReportAllocs()
	for b.Loop() {
		if !k.Verify(mab, de64[:]) {
			b.Fatal("not verified")
		}
	}
}

func BenchmarkSerialCiphertext(b *testing.B) {
	k := keyFor(b, mac.UnionPayECBSM4, 0)
	b.ReportAllocs()
	for b.Loop() {
		mac.SerialCiphertext(k, "00000304N9NL10000001", "163157")
	}
}
