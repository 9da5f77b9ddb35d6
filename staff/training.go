package staff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// Topic is what a training is about.
type Topic string

// The topics.
const (
	CounterTopic   Topic = "counter_security"   // the rule and the question bank of this program; PCI DSS 9.5.1.3, 12.6
	DeveloperTopic Topic = "developer_security" // a course outside, recorded by an administrator; PCI DSS 6.2.2
	IncidentTopic  Topic = "incident_response"  // likewise; PCI DSS 12.10.4
)

// Topics lists every topic.
var Topics = [...]Topic{CounterTopic, DeveloperTopic, IncidentTopic}

// TrainingState is where a training stands.
type TrainingState string

// The states.
const (
	Sitting TrainingState = "sitting" // the questions were given and not answered yet
	Passed  TrainingState = "passed"
	Failed  TrainingState = "failed"
)

// Training is one test taken, or one course attended, by a cashier or by the person of an account. Which answers
// were given is not kept.
type Training struct {
	ID        string        `json:"id"`             // TRN-1, TRN-2, ...
	Subject   string        `json:"subject"`        // cashier:MERCHANT/OPERATOR or account:NAME
	Topic     Topic         `json:"topic"`          //
	Rule      string        `json:"rule,omitempty"` // version of the rule that was taught
	Bank      string        `json:"bank,omitempty"` // version of the question bank
	Seed      string        `json:"seed,omitempty"` // by which the questions were drawn and shuffled
	Course    string        `json:"course,omitempty"`
	State     TrainingState `json:"state"`
	Right     int           `json:"right"`     // questions answered right
	Questions int           `json:"questions"` // questions asked
	Begun     pos.Instant   `json:"begun"`
	Ended     pos.Instant   `json:"ended,omitempty"`
	Until     pos.Instant   `json:"until,omitempty"` // of a pass: it counts before this instant
}

// NounTraining is the noun of a Training.
const NounTraining = "training"

// What a test takes and gives; certification.md is silent on the time, which is ours.
const (
	PassPercent  = 80                   // at least this share of right answers passes
	TrainingLife = 365 * 24 * time.Hour // how long a pass counts; PCI DSS 12.6.3: at least once every 12 months
	SittingLife  = 2 * time.Hour        // how long the questions may be answered
	MaxTrainings = 10_000_000
	maxCourse    = 200
)

// trained is a pass and the entry that holds it.
type trained struct {
	record *Training
	seq    uint64
}

// subject checks whom a training is of, and that it works here.
func (s *State) subject(subject string, by []string) error {
	if name, ok := strings.CutPrefix(subject, accountSubject); ok {
		if a := s.accounts[name]; a != nil && !a.Disabled {
			return nil
		}
		return fmt.Errorf("%w: account %.32s", ErrUnknown, name)
	}
	c := s.cashiers[strings.TrimPrefix(subject, cashierSubject)]
	if c == nil || c.Left != 0 {
		return fmt.Errorf("%w: no such cashier works there: touchstone cashier add", ErrAccount)
	}
	merchant, err := pos.ParseMerchantID(c.Merchant)
	if err != nil {
		return fmt.Errorf("%w: cashier %s", ErrAccount, subject)
	}
	return s.mayRunShop(by, merchant)
}

// BeginTraining is the decision to give somebody the questions of a test, drawn by a seed that the program drew.
// A test begun and not finished stays in the journal, so that nobody can look for easy questions unseen.
func BeginTraining(s *State, bank *Bank, subject, seed string, by []string, now pos.Instant) (*Training, []journal.Draft, error) {
	if err := s.subject(subject, by); err != nil {
		return nil, nil, err
	}
	if len(seed) < 16 || len(seed) > 64 {
		return nil, nil, fmt.Errorf("%w: a seed of %d bytes", ErrAccount, len(seed))
	}
	t := &Training{ID: fmt.Sprintf("TRN-%d", s.trained+1), Subject: subject, Topic: CounterTopic, Rule: bank.Rule.Version, Bank: bank.Version,
		Seed: seed, State: Sitting, Questions: PaperQuestions, Begun: now}
	drafts, err := draft("training_begun", by, "", NounTraining, t.ID, t)
	return t, drafts, err
}

// EndTraining is the decision on a test: the answers are graded, PassPercent passes. answers are the choices by
// question, as the bank names both; a question without an answer is wrong. The topics of wrong answers are for the
// person alone.
func EndTraining(s *State, bank *Bank, id string, answers map[string]string, by []string, now pos.Instant) (t *Training, wrong []string, drafts []journal.Draft, err error) {
	old := s.trainings[id]
	switch {
	case old == nil || old.State != Sitting:
		return nil, nil, nil, fmt.Errorf("%w: test %.20s is not open", ErrClosed, id)
	case now.Sub(old.Begun) >= SittingLife:
		return nil, nil, nil, fmt.Errorf("%w: test %s was to be answered within %s: begin another", ErrClosed, id, SittingLife)
	case old.Bank != bank.Version:
		return nil, nil, nil, fmt.Errorf("%w: test %s is of question bank %s: begin another", ErrClosed, id, old.Bank)
	}
	if err := s.subject(old.Subject, by); err != nil {
		return nil, nil, nil, err
	}
	done := *old
	done.Right, wrong = bank.Paper(old.Seed).Grade(answers)
	done.State, done.Ended = Failed, now
	if done.Right*100 >= PassPercent*done.Questions {
		done.State, done.Until = Passed, now+pos.Instant(TrainingLife)
	}
	drafts, err = draft("training_"+string(done.State), by, "", NounTraining, id, &done)
	return &done, wrong, drafts, err
}

// RecordTraining is the decision to record a course that somebody of the staff passed elsewhere.
func RecordTraining(s *State, account string, topic Topic, course string, by []string, now pos.Instant) ([]journal.Draft, error) {
	course = strings.TrimSpace(course)
	switch {
	case !slices.Contains(Topics[:], topic) || topic == CounterTopic:
		return nil, fmt.Errorf("%w: topic: want %s or %s; %s is taken with touchstone train", ErrAccount, DeveloperTopic, IncidentTopic, CounterTopic)
	case course == "" || len(course) > maxCourse:
		return nil, fmt.Errorf("%w: course: want its name and provider, at most %d bytes", ErrAccount, maxCourse)
	case slices.Contains(by, account):
		return nil, fmt.Errorf("%w: one's own course is recorded by another", ErrSame)
	}
	if err := s.subject(accountSubject+account, by); err != nil {
		return nil, err
	}
	t := &Training{ID: fmt.Sprintf("TRN-%d", s.trained+1), Subject: accountSubject + account, Topic: topic, Course: course, State: Passed,
		Begun: now, Ended: now, Until: now + pos.Instant(TrainingLife)}
	return draft("training_recorded", by, "", NounTraining, t.ID, t)
}

// Training is a training's record, nil when there is none.
func (s *State) Training(id string) *Training { return s.trainings[id] }

// Trainings lists every training, the oldest first.
func (s *State) Trainings() []*Training {
	return sorted(s.trainings, func(a, b *Training) int {
		return cmp.Or(cmp.Compare(a.Begun, b.Begun), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
}

// foldTraining keeps a training and, per subject and topic, the pass that counts longest.
func (s *State) foldTraining(seq uint64, t *Training) {
	s.trainings[t.ID] = t
	key := t.Subject + " " + string(t.Topic)
	if last := s.passes[key]; t.State == Passed && (last == nil || t.Until >= last.record.Until) {
		s.passes[key] = &trained{t, seq}
	}
}

// lastPass is the newest pass of a subject that ended at since or later, nil when there is none.
func (s *State) lastPass(subject string, topic Topic, since pos.Instant) *trained {
	last := s.passes[subject+" "+string(topic)]
	if last == nil || last.record.Ended < since {
		return nil
	}
	return last
}
