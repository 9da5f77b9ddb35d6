package main

import (
	"encoding/json"
	"strings"
	"testing"

	"touchstone/staff"
)

// TestTrainingAnswers: a file of answers is one JSON object and nothing else.
func TestTrainingAnswers(t *testing.T) {
	for text, ok := range map[string]bool{`{"Q01":"c"}`: true, `{}`: false, ``: false, `[]`: false, `{"Q01":3}`: false, `{"Q01":"cc"}`: false, `{"Q01234567":"c"}`: false, `null`: false,
		`{"Q01":"` + strings.Repeat("x", maxTestAnswers) + `"}`: false} {
		if _, err := parseAnswers([]byte(text)); (err == nil) != ok {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"Q01":"c","Q02":"a"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if answers, err := parseAnswers(raw); err == nil && (len(answers) == 0 || len(raw) > maxTestAnswers) {
			t.Error("taken beyond its bounds")
		}
	})
}

func FuzzPasswordPolicy(f *testing.F) {
	raw, err := json.Marshal(staff.DefaultTerminalPasswords())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := parsePasswordPolicy(raw); err == nil && p.Check() != nil {
			t.Error("a weak policy was taken")
		}
	})
}

// TestPasswordPolicyCarried: what the acquirer writes is what a terminal reads, member by member.
func TestPasswordPolicyCarried(t *testing.T) {
	want := staff.TerminalPasswords{Version: "7", Required: true, OperatorMin: 7, AdministratorMin: 9, MaxAgeDays: 31, Tries: 3, WaitSeconds: 61, Former: 6}
	raw, err := json.Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parsePasswordPolicy(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&got)
	if err != nil || string(again) != string(raw) {
		t.Errorf("read as %s", again)
	}
	for _, bad := range []string{"", "{}", `{"version":"1"}`, string(raw) + "{}", strings.Replace(string(raw), "tries", "trys", 1)} {
		if _, err := parsePasswordPolicy([]byte(bad)); err == nil {
			t.Errorf("%.40s: taken", bad)
		}
	}
}
