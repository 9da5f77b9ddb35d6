package api

import "time"

// Repair is how a terminal comes to sell again.
type Repair struct {
	Terminal string          `json:"terminal"`
	Merchant string          `json:"merchant"`
	State    string          `json:"state" doc:"no_refusal: nothing to repair; waiting: for the next sale; signed_in: somebody signed in since, and the next sale is waited for; repaired: a sale passed since; refused_again"`
	Refusal  *Transaction    `json:"refusal,omitempty" doc:"the one that is repaired"`
	Cause    Explanation     `json:"cause"`
	Remedy   *Remedy         `json:"remedy,omitempty"`
	Steps    []RepairStep    `json:"steps" nullable:"false" doc:"what the host itself can carry out or show, in order"`
	SignedIn *Transaction    `json:"signed_in,omitempty" doc:"the newest sign-in since the refusal that was given keys"`
	Passed   *Transaction    `json:"passed,omitempty" doc:"the first sale that passed since"`
	Again    *Transaction    `json:"refused_again,omitempty" doc:"the newest refusal since, where no sale passed after it"`
	Permit   *TerminalPermit `json:"permit,omitempty" doc:"where the permit is what refuses"`
}

// RepairStep is one thing to do.
type RepairStep struct {
	Step     string            `json:"step" doc:"sign_in, bring_back, rebind, clone_clear, inspect, permit, key, register, look, call or wait" example:"rebind"`
	What     Text              `json:"what"`
	How      Text              `json:"how"`
	Act      string            `json:"act,omitempty" doc:"the act that carries it out" example:"rebind"`
	Two      bool              `json:"two_people,omitempty"`
	Values   map[string]string `json:"values,omitempty" doc:"what is known of the act's body"`
	Command  string            `json:"command,omitempty" doc:"where it can be done at the machine only: a key's components never pass a browser"`
	Done     *time.Time        `json:"done,omitempty" doc:"seen to be done"`
	Proposal string            `json:"proposal,omitempty" doc:"open: a second person has to approve it" example:"PRP-7"`
}
