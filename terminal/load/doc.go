// Package load is a load generator: many terminals that sell as fast as a host answers, or at a fixed
// rate, and what that showed.
//
// It is not a terminal for a shop: nothing is written down, nothing is reversed, and every sale of a
// terminal is the same but for its trace and its MAC, so that the generator costs little beside the host
// that it shares the machine with. It is used as
//
//	result, err := load.Run(ctx, load.Options{Address: "127.0.0.1:8583", Crew: crew, Connections: 256, Duration: time.Minute})
//	err = result.WriteText(os.Stdout, terminal.English)
//
// Closed loop: every connection sends its next sale when the last one was answered. Fixed rate: sale n is
// due n/rate seconds after the beginning, whatever happened to the sales before it, and its latency counts
// from then, so that a host that stalls cannot hide it ("coordinated omission"; Gil Tene, "How NOT to
// Measure Latency", 2013). docs/design/014-load.md says what is counted and what is not.
//
// Locks: a recorder's mutex is a leaf.
package load
