//go:build race

package main

// raceDetector slows everything and has memory of its own.
const raceDetector = true
