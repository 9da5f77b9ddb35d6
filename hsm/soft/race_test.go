//go:build race

package soft_test

// raceEnabled: under the race detector sync.Pool forgets at random, which allocates.
const raceEnabled = true
