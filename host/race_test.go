//go:build race

package host_test

// raceDetector allocates on its own account.
const raceDetector = true
