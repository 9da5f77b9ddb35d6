package paycrypto_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"

	"touchstone/paycrypto"
)

// TestCheckCodeVectors: codes that OpenSSL and the shell made, leading zeros and the last step included.
func TestCheckCodeVectors(t *testing.T) {
	for _, v := range load(t, "checkcode.json") {
		var step uint64
		if err := json.Unmarshal(v["step"], &step); err != nil {
			t.Fatal(err)
		}
		key := paycrypto.CheckKey(v.hex(t, "key"), v.text(t, "serial"))
		if got := hex.EncodeToString(key[:]); got != v.text(t, "check_key") {
			t.Errorf("%s: key %s, want %s", v.text(t, "id"), got, v.text(t, "check_key"))
		}
		if got := paycrypto.CheckCodeAt(&key, step); string(got[:]) != v.text(t, "want") {
			t.Errorf("%s: code %s, want %s", v.text(t, "id"), got, v.text(t, "want"))
		}
	}
}

// TestCheckCodeByOpenSSL asks the script that made the vectors for others.
func TestCheckCodeByOpenSSL(t *testing.T) {
	for _, tool := range []string{"bash", "openssl", "xxd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	serialKey := []byte("a published test") // 16 bytes
	key := paycrypto.CheckKey(serialKey, "00000304TS0090000001")
	for step := uint64(29924040); step < 29924044; step++ {
		out, err := exec.Command("bash", "testdata/checkcode.sh", hex.EncodeToString(serialKey), "00000304TS0090000001", fmt.Sprint(step)).Output()
		if err != nil {
			t.Fatal(err)
		}
		var made struct{ Want string }
		if err := json.Unmarshal(out, &made); err != nil {
			t.Fatal(err)
		}
		if got := paycrypto.CheckCodeAt(&key, step); string(got[:]) != made.Want {
			t.Errorf("step %d: %s, OpenSSL %s", step, got, made.Want)
		}
	}
}

// TestCheckStep: a step is a whole minute, and there is none before 1970.
func TestCheckStep(t *testing.T) {
	for at, want := range map[int64]uint64{-1: 0, 0: 0, 59: 0, 60: 1, 1795860000: 29931000, 1795860059: 29931000, 1795860060: 29931001} {
		if got := paycrypto.CheckStep(at); got != want {
			t.Errorf("second %d: step %d, want %d", at, got, want)
		}
	}
}
