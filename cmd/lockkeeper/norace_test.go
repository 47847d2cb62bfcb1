//go:build !race

package main

// raceEnabled: the race detector's memory is not the server's.
const raceEnabled = false
