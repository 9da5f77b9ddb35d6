// Command bench measures the shipped binary on this machine and prints one table: the machine, what its
// disk and its loopback can do at all, and our figures of the same run beside their targets. It starts
// the host and the generator as processes of their own, as an operator would. It is a tool of the
// repository and no part of the product.
//
//	go run ./scripts/bench -binary bin/touchstone -dir .cache/bench          about ten minutes
//	go run ./scripts/bench -binary bin/touchstone -dir .cache/bench -quick   about two
//
// docs/design/014-load.md says how each figure is made.
package main
