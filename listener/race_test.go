//go:build race

package listener_test

// raceDetector allocates on its own account.
const raceDetector = true
