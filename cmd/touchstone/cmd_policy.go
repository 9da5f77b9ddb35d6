package main

// policyCmd is what one does with policies that are not in force.
type policyCmd struct {
}
