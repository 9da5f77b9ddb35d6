package main

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// elsewhere is where what a command does or reads can be done or read from elsewhere: operations of the interface by their ids, and a page of the
// console; or why it cannot.
type elsewhere struct {
	ops  string // separated by blanks
	page string
	why  string // it is none of a host's, or a part of it is not: which, and why
}

// Why a command is for the machine that it runs on.
const (
	hostless   = "it needs no host: it computes from what it is given, on the reader's own machine"
	ofTerm     = "it is the other side of the wire: a terminal, a network or a load, on a machine of its own"
	hostItself = "it makes, starts or ends the host itself: who may do that is root of its machine"
	ownSecret  = "what it reads is a secret or a private key of its person, which is never sent"
)

// everyCommand has a row for each command of the command line.
var everyCommand = map[string]elsewhere{
	"demo": {why: hostItself}, "story": {why: hostItself}, "serve": {why: hostItself}, "init": {why: hostItself},
	"journal accept-loss": {why: hostItself + "; and no host runs while it is done"},

	"register merchant": {ops: "act-merchant list-merchants get-merchant", page: "/acts/merchant"}, "register device": {ops: "act-device list-devices get-device", page: "/acts/device"},
	"register terminal": {ops: "act-terminal list-terminals get-terminal", page: "/acts/terminal"}, "register card": {ops: "act-card", page: "/acts/card"},
	"card pin": {ops: "act-card", page: "/acts/card"}, "card due": {ops: "list-old-pins", why: "no page: cards are the embedded bank's, for trying things out"},
	"device announce": {ops: "act-care", page: "/acts/care"}, "device receive": {ops: "act-care", page: "/acts/care"}, "device deploy": {ops: "act-care", page: "/acts/care"}, "device move": {ops: "act-care", page: "/acts/care"},
	"device rebind": {ops: "act-care", page: "/acts/care"}, "device repair": {ops: "act-care", page: "/acts/care"}, "device picture": {ops: "act-model-picture", page: "/acts/model_picture"}, "device lose": {ops: "act-care", page: "/acts/care"},
	"device return": {ops: "act-care", page: "/acts/care"}, "device retire": {ops: "act-care", page: "/acts/care"}, "device destroy": {ops: "act-care", page: "/acts/care"},
	"device show": {ops: "get-device get-device-custody", page: "/devices/{id}"}, "device list": {ops: "list-devices list-five-elements", page: "/fleet"}, "device release": {ops: "act-release", page: "/acts/release"},
	"device certificate issue": {ops: "act-certificate", page: "/acts/certificate", why: "with --key-file it draws a private key, for tests alone"}, "device certificate renew": {ops: "act-certificate", page: "/acts/certificate"},
	"device certificate revoke": {ops: "act-certificate", page: "/acts/certificate"}, "device certificate list": {ops: "list-terminals get-device", page: "/fleet"}, "device certificate show": {ops: "get-device", page: "/devices/{id}"},
	"device certificate ca": {ops: "get-device-authority", why: "no page: a terminal's maker or a program takes it"}, "device certificate crl": {why: "the list is written where the terminals' listener serves it, by the host itself"},
	"inspect record": {ops: "act-inspect", page: "/acts/inspect"}, "inspect due": {ops: "list-inspections", page: "/fleet/inspections"}, "inspect list": {ops: "list-inspections", page: "/fleet/inspections"},
	"inspect show": {ops: "get-inspection", page: "/fleet/inspections/{id}"}, "inspect form": {ops: "get-checklist", page: "/fleet/inspections/new"}, "glance": {ops: "act-glance", page: "/acts/glance"},

	"key": {why: ownSecret}, "seal": {why: ownSecret}, "transport-key": {ops: "act-transport-key get-key-figures", page: "/acts/transport_key"},
	"terminal act": {why: ofTerm}, "terminal update": {why: ofTerm}, "terminal health": {why: ofTerm}, "terminal load": {why: ofTerm}, "terminal password set": {why: ofTerm}, "terminal password status": {why: ofTerm}, "proxy": {why: ofTerm},

	"status": {ops: "get-status watch-live", page: "/{$}"}, "effectiveness": {ops: "get-effectiveness", page: "/{$}"}, "failures": {ops: "get-failures", page: "/failures"}, "events": {ops: "list-events follow", page: "/journal"},
	"canary try": {why: "it sends known-bad messages with a reserved terminal's keys, which are files of its machine; a host does the same each minute by itself"}, "canary resume": {ops: "act-resume", page: "/acts/resume"},
	"clone list": {ops: "list-clones", page: "/clones"}, "clone show": {ops: "get-clone", page: "/clones/{id}"}, "clone clear": {ops: "act-clone-clear", page: "/acts/clone_clear"},
	"permit show": {ops: "get-terminal-permit", page: "/terminals/{id}"}, "permit list": {ops: "get-permits", page: "/fleet/permits"}, "permit policy show": {ops: "get-policy", page: "/fleet/policy"}, "permit policy check": {why: hostless}, "permit policy set": {ops: "act-permit-policy", page: "/acts/permit_policy"},
	"grade show": {ops: "get-grades", page: "/fleet/grades"}, "grade plan": {ops: "get-grade-plan", page: "/fleet/grades"}, "policy try": {why: "it reads the whole journal, for minutes, beside the host: no request may last so long"},

	"staff add": {ops: "act-account", page: "/acts/account", why: "a passphrase that somebody else chose is never sent: the page invites"}, "staff list": {ops: "list-staff get-account list-proposals", page: "/staff"}, "staff passphrase": {page: "/me", why: "by the interface not: a passphrase is its person's, who types it over a session"},
	"staff leave": {ops: "act-personnel", page: "/acts/personnel"}, "staff unlock": {ops: "act-personnel", page: "/acts/personnel"}, "staff second-factor": {ops: "act-second-factor", page: "/acts/second_factor"}, "staff review": {ops: "act-personnel get-access-review", page: "/acts/personnel"},
	"webhook add": {ops: "act-webhook", page: "/acts/webhook"}, "webhook list": {ops: "list-webhooks", page: "/webhooks"}, "webhook show": {ops: "list-webhooks", page: "/webhooks/{id}"}, "webhook deliveries": {ops: "list-webhook-deliveries", page: "/webhooks/{id}"}, "webhook disable": {ops: "act-webhook-set", page: "/acts/webhook_set"},
	"webhook enable": {ops: "act-webhook-set", page: "/acts/webhook_set"}, "webhook rotate": {ops: "act-webhook-rotate", page: "/acts/webhook_rotate"}, "webhook replay": {ops: "act-webhook-replay", page: "/acts/webhook_replay"},
	"api-key add": {ops: "act-api-key", page: "/acts/api_key"}, "api-key list": {ops: "list-api-keys", why: "no page yet: the acts have their forms, the list is the interface's"}, "api-key revoke": {ops: "act-api-key-revoke", page: "/acts/api_key_revoke"}, "api openapi": {ops: "list-acts", page: "/docs"},
	"cashier add": {ops: "act-cashier", page: "/acts/cashier"}, "cashier list": {ops: "list-cashiers", page: "/fleet/cashiers"}, "cashier show": {ops: "list-cashiers", page: "/fleet/cashiers"}, "cashier leave": {ops: "act-cashier", page: "/acts/cashier"}, "cashier password-policy": {ops: "get-terminal-passwords act-passwords", page: "/acts/passwords"},
	"train sit": {ops: "act-training get-training-paper", page: "/fleet/training/{id}"}, "train rule": {ops: "get-training-paper", page: "/fleet/training"}, "train status": {ops: "get-training", page: "/fleet/training"}, "train confirm": {ops: "act-training", page: "/acts/training"}, "train record": {ops: "act-training", page: "/acts/training"},
	"proposals": {ops: "list-proposals get-proposal", page: "/staff/proposals"}, "approve": {ops: "act-approve", page: "/staff/proposals/{id}"},

	"release init": {ops: "act-repository", page: "/acts/repository"}, "release publish": {ops: "act-publish", page: "/acts/publish", why: "with --signing-key it reads private keys: from elsewhere they sign a package"},
	"release sign": {why: ownSecret}, "release countersign": {why: ownSecret}, "release import": {ops: "act-release-package", page: "/acts/release_package"},
	"release list": {ops: "list-releases get-release", page: "/fleet/releases"}, "release withdraw": {ops: "act-release-state act-release-package", page: "/acts/release_state"}, "release support": {ops: "act-release-state", page: "/acts/release_state"}, "release renew": {ops: "act-repository", page: "/acts/repository"}, "release refresh": {ops: "act-repository", page: "/acts/repository"},
	"advisory add": {ops: "act-advisory", page: "/acts/advisory"}, "advisory list": {ops: "list-advisories", page: "/fleet/advisories"}, "advisory show": {ops: "get-advisory", page: "/fleet/advisories/{id}"}, "advisory radius": {ops: "get-blast-radius", page: "/fleet/advisories/{id}"}, "advisory export": {ops: "export-advisory", page: "/fleet/advisories/{id}"}, "advisory close": {ops: "act-advisory", page: "/acts/advisory"},
	"campaign start": {ops: "act-campaign", page: "/acts/campaign"}, "campaign list": {ops: "list-campaigns", page: "/fleet/campaigns"}, "campaign show": {ops: "get-campaign", page: "/fleet/campaigns/{id}"}, "campaign close": {ops: "act-campaign", page: "/acts/campaign"},

	"incident list": {ops: "list-incidents", page: "/incidents"}, "incident show": {ops: "get-incident list-incident-terms", page: "/incidents/{id}"}, "incident open": {ops: "act-incident", page: "/acts/incident"}, "incident assign": {ops: "act-incident", page: "/acts/incident"}, "incident note": {ops: "act-incident", page: "/acts/incident"}, "incident severity": {ops: "act-incident", page: "/acts/incident"},
	"incident scope": {ops: "act-incident", page: "/acts/incident"}, "incident cause": {ops: "act-incident", page: "/acts/incident"}, "incident action": {ops: "act-incident", page: "/acts/incident"}, "incident link": {ops: "act-incident", page: "/acts/incident"}, "incident clock answer": {ops: "act-incident", page: "/acts/incident"}, "incident clock start": {ops: "act-incident", page: "/acts/incident"},
	"incident clock waive": {ops: "act-incident", page: "/acts/incident"}, "incident close": {ops: "act-incident", page: "/acts/incident"}, "incident rules show": {ops: "get-incident-rules", why: "no page yet: an incident's page names the rule that opened it"}, "incident rules load": {ops: "act-incident", page: "/acts/incident"}, "incident rules clocks": {ops: "act-incident", page: "/acts/incident"}, "incident drill": {ops: "act-incident", page: "/acts/incident"},
	"report file": {ops: "act-report", page: "/acts/report"}, "report show": {ops: "get-report", page: "/reports/{id}"}, "report list": {ops: "list-reports", page: "/reports"}, "report join": {ops: "act-incident", page: "/acts/incident"}, "report dismiss": {ops: "act-incident", page: "/acts/incident"}, "report key": {why: ownSecret}, "report contact": {page: "/reports/{id}/contact", why: "by the interface not: a program needs nobody's telephone number, and each look is an entry"},
	"exposed":    {ops: "list-exposures list-exposed-sales act-exposure", page: "/incidents/{id}/exposed", why: "a set that is not frozen is searched in the journal beside the host"},
	"claim make": {ops: "act-claim", page: "/acts/claim"}, "claim show": {ops: "get-claim", page: "/claims/{id}"}, "claim list": {ops: "list-claims", page: "/claims"}, "claim evidence": {ops: "get-claim", page: "/claims/{id}"}, "claim decide": {ops: "act-decision", page: "/acts/decision"}, "money": {ops: "get-money", page: "/claims"},
	"notice draft": {ops: "act-notice-draft", page: "/acts/notice_draft"}, "notice show": {ops: "get-notice", page: "/notices/{id}"}, "notice send": {ops: "act-notice-send", page: "/acts/notice_send"}, "notice list": {ops: "list-notices", page: "/notices"}, "notice retry": {ops: "act-notice-retry", page: "/acts/notice_retry"},
	"mail catch": {why: ofTerm}, "mail list": {why: ofTerm}, "mail show": {why: ofTerm},

	"lab catalogue": {ops: "get-laboratory-plan", page: "/laboratory"}, "lab sample-package": {why: hostless}, "lab scope": {ops: "act-lab get-laboratory-plan", page: "/acts/lab"}, "lab stop": {ops: "act-lab", page: "/acts/lab"}, "lab plan": {ops: "get-laboratory-plan", page: "/laboratory"}, "lab run": {ops: "act-lab", page: "/laboratory/runs"}, "lab resume": {ops: "act-lab", page: "/laboratory/runs/{id}"},
	"lab show": {ops: "get-run list-runs", page: "/laboratory/runs/{id}"}, "lab report": {ops: "get-run", page: "/laboratory/runs/{id}/report"}, "lab mark": {ops: "act-lab", page: "/acts/lab"}, "lab finding": {ops: "act-lab get-finding list-findings", page: "/laboratory/findings/{id}"}, "lab operations": {ops: "get-laboratory-operations", page: "/laboratory/operations"},
	"certificate issue": {ops: "act-lab", page: "/acts/lab"}, "certificate verify": {why: hostless}, "certificate show": {ops: "get-certificate", page: "/laboratory/certificates/{id}"}, "certificate list": {ops: "list-certificates", page: "/laboratory"}, "certificate export": {ops: "get-certificate", page: "/laboratory/certificates/{id}/envelope"}, "certificate keys": {ops: "get-laboratory-keys", page: "/laboratory/keys"},
	"certificate suspend": {ops: "act-lab", page: "/acts/lab"}, "certificate withdraw": {ops: "act-lab", page: "/acts/lab"}, "certificate reinstate": {ops: "act-lab", page: "/acts/lab"}, "certificate supersede": {ops: "act-lab", page: "/acts/lab"},

	"journal tail": {ops: "list-journal follow", page: "/journal"}, "journal show": {ops: "get-journal-entry get-transaction", page: "/transactions/{id}"}, "journal verify": {ops: "get-journal-verification get-journal-proof list-witnesses", page: "/journal"},
	"analyze": {why: hostless}, "shadow": {why: hostless}, "panel new": {why: hostless}, "panel score": {why: hostless}, "calc": {why: hostless}, "explain": {ops: "get-transaction", page: "/transactions/{id}", why: "codes, words and messages in hand are explained offline, and on the public page"},
}

// TestEveryCommandElsewhere: each command of the command line, whether it changes something or reads, has an operation of the interface and a
// page of the console, or a reason why what it does cannot be done from elsewhere.
func TestEveryCommandElsewhere(t *testing.T) {
	parser, err := kong.New(new(commands), kong.Configuration(loadTOML), kong.Bind(&app{}))
	if err != nil {
		t.Fatal(err)
	}
	router := web.NewRouter(slog.New(slog.DiscardHandler))
	d := newDesk(&engine{})
	programs := api.New(router, "test")
	programs.Mount(d)
	door := &desk{&engine{}}
	if _, err := console.New(router, console.Options{Desk: d, Interface: programs, Door: door, Guests: door, Self: door, Sessions: web.NewSessions(), Version: "test", Log: router.Log}); err != nil {
		t.Fatal(err)
	}
	operations, pages := map[string]bool{}, map[string]bool{}
	for _, r := range programs.References() {
		operations[r.ID] = true
	}
	for _, r := range router.Routes() {
		pages[r.Method+" "+r.Pattern] = !r.API
	}
	seen := map[string]bool{}
	named := map[string]bool{}
	for _, leaf := range parser.Model.Leaves(false) {
		name := commandName(leaf)
		row, known := everyCommand[name]
		if seen[name] = true; !known {
			t.Errorf("%s: say in everyCommand how it is done or read from elsewhere, or why it cannot", name)
			continue
		}
		if len(row.why) > 0 && len(row.why) < 20 || row.why == "" && (row.ops == "" || row.page == "") {
			t.Errorf("%s: want operations and a page, or a reason", name)
		}
		for _, op := range strings.Fields(row.ops) {
			if named[op] = true; !operations[op] {
				t.Errorf("%s: there is no operation %s", name, op)
			}
		}
		if row.page != "" && !pages[http.MethodGet+" "+row.page] && !pages[http.MethodPost+" "+row.page] {
			t.Errorf("%s: there is no page %s", name, row.page)
		}
	}
	for name := range everyCommand {
		if !seen[name] {
			t.Errorf("%q is no command", name)
		}
	}
	var alone []string
	for op := range operations {
		if strings.HasPrefix(op, "act-") && !named[op] {
			alone = append(alone, op)
		}
	}
	if want := []string{"act-passphrase"}; !slices.Equal(alone, want) {
		t.Errorf("acts that no command's row names: %q, want %q", alone, want)
	}
}

// commandName is a command as it is typed.
func commandName(leaf *kong.Node) string {
	var words []string
	for n := leaf; n != nil && n.Type != kong.ApplicationNode; n = n.Parent {
		if n.Type == kong.CommandNode {
			words = append([]string{n.Name}, words...)
		}
	}
	return strings.Join(words, " ")
}
