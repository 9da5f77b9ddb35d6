package paycrypto

// EncryptTrack enciphers track data in place under the track key: one block, the
// one that ends just before the last byte, which stays clear. packed is the track
// as nibbles, separator D, an odd number filled up with 0; DE35 and DE36 keep the
// clear length. docs/protocol/unionpay-pos.md, section 5.3.
//
// A track shorter than one block and one byte returns ErrDataSize and stays as it
// is: how the block that the terminal would fill with FF then travels is
// unverified, and a capture of one would verify it.
func EncryptTrack(tdk *Cipher, packed []byte) error {
	return trackBlock(tdk, packed, false)
}

// DecryptTrack is the inverse of EncryptTrack. It cannot tell whether the key was
// right: the caller checks that a track came out and that its card number is DE2.
func DecryptTrack(tdk *Cipher, packed []byte) error {
	return trackBlock(tdk, packed, true)
}

func trackBlock(tdk *Cipher, packed []byte, decrypt bool) error {
	n := tdk.live().algorithm.BlockSize()
	end := len(packed) - 1
	if end < n {
		return ErrDataSize
	}
	return tdk.blocks(packed[end-n:end], packed[end-n:end], decrypt)
}
