package pgauth

import "testing"

// The one costly step, which KeyCache saves.
func BenchmarkSaltedPassword(b *testing.B) {
	salt := make([]byte, saltSize)
	for b.Loop() {
		saltedPassword("open-sesame", salt, defaultIterations)
	}
}

// What the server does for a proof.
func BenchmarkProves(b *testing.B) {
	k := makeScram("open-sesame", make([]byte, saltSize), defaultIterations)
	proof := make([]byte, 32)
	for b.Loop() {
		k.proves(proof, rfcFirst+rfcServerFirst+rfcFinal)
	}
}
