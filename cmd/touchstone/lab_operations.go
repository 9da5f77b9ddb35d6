package main

import (
	"context"

	"touchstone/lab"
)

type operationState string

const (
	opSatisfied     operationState = "satisfied"
	opNotSatisfied  operationState = "NOT SATISFIED"
	opNotApplicable operationState = "not applicable"
)

var operationZH = map[operationState]string{opSatisfied: "满足", opNotSatisfied: "不满足", opNotApplicable: "不适用"}

type operationResult struct {
	Requirement string         `json:"requirement"`
	Title       lab.Text       `json:"title"`
	State       operationState `json:"state"`
	Why         lab.Text       `json:"why"`
}

func (e *engine) examineOperations(ctx context.Context) ([]operationResult, error) { return nil, nil }
