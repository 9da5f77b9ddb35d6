package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// LabSubject is what a run examines: one model of terminal with its versions.
type LabSubject struct {
	Maker              string `json:"maker"`
	Model              string `json:"model"`
	Hardware           string `json:"hardware"`
	Firmware           string `json:"firmware"`
	Application        string `json:"application"`
	HardwarePattern    string `json:"hardware_pattern" doc:"that a certificate covers: x is any one character, * everything"`
	FirmwarePattern    string `json:"firmware_pattern"`
	ApplicationPattern string `json:"application_pattern"`
	Delta              string `json:"delta_class,omitempty" doc:"0 administrative, 1 no security, 2 security-relevant, 3 a new evaluation; absent: the first"`
}

// LabAxis is how one of the three axes of an examination stands: hardware_record, software, data_transmission.
type LabAxis struct {
	Axis    string `json:"axis"`
	Name    Text   `json:"name"`
	Passed  int    `json:"passed"`
	Failed  int    `json:"failed"`
	Open    int    `json:"open" doc:"inconclusive or not tested"`
	NotFor  int    `json:"not_applicable"`
	Of      int    `json:"of"`
	Verdict string `json:"verdict" doc:"pass, fail, or open where something is not known"`
}

// LabRun is one assessment. States: running, complete.
type LabRun struct {
	ID              string     `json:"id" example:"RUN-1"`
	Subject         LabSubject `json:"subject"`
	State           string     `json:"state" example:"complete"`
	Operator        string     `json:"operator"`
	Organisation    string     `json:"organisation"`
	SelfDeclaration string     `json:"self_declaration,omitempty" doc:"why it is one: maker or acquirer; absent is an assessment by a third party"`
	Profile         string     `json:"profile"`
	Scope           string     `json:"scope" example:"SCP-1"`
	Started         time.Time  `json:"started"`
	Ended           time.Time  `json:"ended,omitzero"`
	Done            int        `json:"done" doc:"requirements with a result"`
	Of              int        `json:"of"`
	Outcome         string     `json:"outcome" doc:"what the results allow: issuable, conditional, refused or blocked"`
	OutcomeSays     Text       `json:"outcome_says"`
	Score           int        `json:"score" doc:"0 to 100; stands beside the outcome and decides nothing"`
	Axes            []LabAxis  `json:"axes"`
	Findings        int        `json:"findings"`
	Certificate     string     `json:"certificate,omitempty" example:"CRT-1"`
	Working         string     `json:"working,omitempty" doc:"the requirement that this host examines now"`
	Halted          string     `json:"halted,omitempty" doc:"why this host's work on it stopped"`
	HaltedZH        string     `json:"halted_zh,omitempty" doc:"the same in Chinese"`
}

// LabResult is one requirement of a run with its result.
type LabResult struct {
	Requirement string    `json:"requirement" example:"POSC-DT-16"`
	Title       Text      `json:"title"`
	Axis        string    `json:"axis"`
	Severity    string    `json:"severity" doc:"critical, high, medium, low or info"`
	Verdict     string    `json:"verdict" doc:"pass, fail, not_applicable, inconclusive or not_tested"`
	Detail      Text      `json:"detail" doc:"what was seen"`
	Part        Text      `json:"part" doc:"what of the procedure the check does, and what it leaves"`
	Advice      Text      `json:"advice"`
	At          time.Time `json:"at,omitzero"`
	Transcript  string    `json:"transcript_digest,omitempty" doc:"SHA-256 of the kept transcript"`
	Finding     string    `json:"finding,omitempty"`
}

// LabRunWhole is a run with its results.
type LabRunWhole struct {
	LabRun
	Notices         []Text       `json:"notices" doc:"what it is not"`
	Because         []string     `json:"because,omitempty" doc:"requirements that the outcome rests on"`
	Conditions      []string     `json:"conditions,omitempty"`
	Results         []LabResult  `json:"results"`
	FindingList     []LabFinding `json:"finding_list"`
	InputsDigest    string       `json:"inputs_digest"`
	CatalogueDigest string       `json:"catalogue_digest"`
	ProfileDigest   string       `json:"profile_digest"`
	Tool            string       `json:"tool" doc:"version and SHA-256 of the program that examined"`
}

// LabStep is one step of a finding's life.
type LabStep struct {
	State string    `json:"state"`
	By    []string  `json:"by"`
	At    time.Time `json:"at"`
	Text  string    `json:"text,omitempty"`
}

// LabFinding is a requirement that was not met. States: open, answered, fixed, retested, closed, accepted.
type LabFinding struct {
	ID          string    `json:"id" example:"FND-1"`
	Run         string    `json:"run" example:"RUN-2"`
	Model       string    `json:"model"`
	Requirement string    `json:"requirement"`
	Title       Text      `json:"title"`
	Advice      Text      `json:"advice"`
	Severity    string    `json:"severity"`
	State       string    `json:"state"`
	Version     string    `json:"version,omitempty" doc:"in which it is said to be fixed"`
	Control     string    `json:"control,omitempty" doc:"that stands in, of an accepted one"`
	Until       time.Time `json:"until,omitzero" doc:"the last day of an accepted one"`
	Due         time.Time `json:"due" doc:"when the maker's answer is due"`
	Overdue     bool      `json:"overdue,omitempty"`
	Life        []LabStep `json:"life"`
	Next        []string  `json:"next,omitempty" doc:"states that it may become now"`
}

// LabCertificate is a security certificate. Standings: valid, suspended, withdrawn, superseded, expired.
type LabCertificate struct {
	ID              string      `json:"id" example:"CRT-1"`
	Run             string      `json:"run"`
	Scheme          string      `json:"scheme"`
	Subject         LabSubject  `json:"subject"`
	Issuer          string      `json:"issuer"`
	SelfDeclaration string      `json:"self_declaration,omitempty"`
	Conditions      []string    `json:"conditions,omitempty"`
	Rests           []LabRest   `json:"rests_on,omitempty" doc:"approvals by others"`
	Issued          time.Time   `json:"issued"`
	Expires         time.Time   `json:"expires"`
	Standing        string      `json:"standing" example:"valid"`
	Reason          string      `json:"reason,omitempty" doc:"of the standing"`
	By              []string    `json:"by" doc:"of the standing"`
	Since           time.Time   `json:"since"`
	Successor       string      `json:"successor,omitempty"`
	Signers         []LabSigner `json:"signers"`
	Report          string      `json:"report_digest"`
	Envelope        string      `json:"envelope_digest" doc:"SHA-256 of the DSSE envelope"`
	Notices         []Text      `json:"notices" doc:"what it is not"`
	DSSE            string      `json:"dsse,omitempty" doc:"the signed envelope; of one certificate"`
}

// LabRest is an approval by another body that a certificate rests on.
type LabRest struct {
	Name   string    `json:"name"`
	Number string    `json:"number"`
	Until  time.Time `json:"until"`
}

// LabSigner is one of the two people who signed.
type LabSigner struct {
	Account      string `json:"account"`
	Name         string `json:"name"`
	Organisation string `json:"organisation"`
	Key          string `json:"key" doc:"SHA-256 of the public key"`
}

// LabOperation is one automatic requirement of operations or personnel against this host's own records.
type LabOperation struct {
	Requirement string `json:"requirement"`
	Title       Text   `json:"title"`
	State       string `json:"state" doc:"satisfied, in part, NOT SATISFIED or not applicable"`
	Why         Text   `json:"why"`
}

// LabOperations are all of them at one moment.
type LabOperations struct {
	List    []LabOperation `json:"list"`
	At      time.Time      `json:"at,omitzero"`
	Running bool           `json:"running,omitempty"`
}

// LabScope is what an assessor may attack, signed by a security officer.
type LabScope struct {
	ID      string    `json:"id" example:"SCP-1"`
	Targets []string  `json:"targets"`
	From    time.Time `json:"from"`
	Until   time.Time `json:"until"`
	Rate    int       `json:"rate" doc:"messages a second, at most"`
	By      string    `json:"by"`
	Stopped string    `json:"stopped_by,omitempty"`
	InForce bool      `json:"in_force"`
}

// LabCheck is one requirement of the profile: the plan of a run.
type LabCheck struct {
	Requirement string `json:"requirement"`
	Title       Text   `json:"title"`
	Axis        string `json:"axis"`
	Severity    string `json:"severity"`
	Part        Text   `json:"part"`
	Active      bool   `json:"active" doc:"it sends to the subject's endpoints: a signed scope is needed"`
}

// LabPlan is what a run examines, the newest scopes first, and what this host can examine by itself.
type LabPlan struct {
	Profile string     `json:"profile"`
	Checks  []LabCheck `json:"checks"`
	Scopes  []LabScope `json:"scopes"`
	Targets []string   `json:"targets,omitempty" doc:"what runs from here may reach: this host's listeners, or what its configuration names"`
	Here    bool       `json:"here" doc:"this host has a reserved terminal, so that its own runs send messages too; else they do what needs files alone"`
	Sample  bool       `json:"sample" doc:"it makes samples to try with: a test data directory's"`
	Flaws   []string   `json:"flaws,omitempty" doc:"ways in which a sample may be wrong; of a test data directory"`
}

// LabQuery narrows lists of the laboratory.
type LabQuery struct {
	Paging
	AsOf
	Pick     string `query:"state" maxLength:"20"`
	Severity string `query:"severity" maxLength:"20" doc:"of findings"`
	Model    string `query:"model" maxLength:"100"`
	Run      string `query:"run" maxLength:"20" doc:"of findings"`
}

// Laboratory is what the laboratory found.
type Laboratory interface {
	Runs(ctx context.Context, who *web.Caller, q *LabQuery) (Page[LabRun], error)
	Run(ctx context.Context, who *web.Caller, q *RunInput) (LabRunWhole, error)
	Findings(ctx context.Context, who *web.Caller, q *LabQuery) (Page[LabFinding], error)
	Finding(ctx context.Context, who *web.Caller, q *FindingInput) (LabFinding, error)
	Certificates(ctx context.Context, who *web.Caller, q *LabQuery) (Page[LabCertificate], error)
	Certificate(ctx context.Context, who *web.Caller, q *CertificateInput) (LabCertificate, error)
}

// LabUpload is a file of a subject that a browser sent.
type LabUpload struct {
	Name string
	Body []byte
}

// Bench is where the laboratory works: scopes, the plan, runs that this host carries out, and what is printed.
type Bench interface {
	// Plan is what a run examines, and under which scopes it may.
	Plan(ctx context.Context, who *web.Caller) (LabPlan, error)
	// Examine begins a run on what was uploaded, or, of a test data directory, on a sample with the flaws named, and goes
	// on with it in the background: Run tells how far it is.
	Examine(ctx context.Context, who *web.Caller, order ExamineOrder) (Done, error)
	// Continue goes on with a run that stopped.
	Continue(ctx context.Context, who *web.Caller, run, scope string) (Done, error)
	// Operations is how this host's own records stood against the automatic requirements of operations and personnel when
	// they were held against them last; again has that done anew, in the background: it reads the journal.
	Operations(ctx context.Context, who *web.Caller, again bool) (LabOperations, error)
	// Kept is a report (RUN-1, html), a transcript (RUN-1, its requirement), an envelope (CRT-1, dsse) or the keys (keys, pem).
	Kept(ctx context.Context, who *web.Caller, id, what, lang string) (KeptContent, error)
}

// ExamineOrder is what to examine. With Sample the files are made, and Files is not looked at.
type ExamineOrder struct {
	Scope       string
	Files       map[string]LabUpload // by the member of the subject's file: subject, package, maker_keys, pts_list, licence_list
	Sample      bool
	Model       string
	Application string
	Flaws       []string
}

// RunInput names one run.
type RunInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"RUN-1"`
}

func (a *API) laboratory(d *Desk) {
	get := func(id, path, summary, tag string) Operation {
		return Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: tag, Rule: web.Staff}
	}
	Add(a, get("list-runs", "/runs", "Assessments of the laboratory, the newest first", "laboratory"), d.Lab.Runs)
	Add(a, get("get-run", "/runs/{id}", "One assessment with its results", "laboratory"), d.Lab.Run)
	Add(a, get("list-findings", "/findings", "Findings, the newest first", "laboratory"), d.Lab.Findings)
	Add(a, get("get-finding", "/findings/{id}", "One finding and its life", "laboratory"), d.Lab.Finding)
	Add(a, get("list-certificates", "/certificates", "Security certificates, the newest first", "laboratory"), d.Lab.Certificates)
	Add(a, get("get-certificate", "/certificates/{id}", "One security certificate with its signed envelope", "laboratory"), d.Lab.Certificate)
}

// FindingInput names one finding.
type FindingInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"FND-1"`
}

// CertificateInput names one certificate.
type CertificateInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"CRT-1"`
}
