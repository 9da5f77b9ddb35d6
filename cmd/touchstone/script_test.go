package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes this test binary the touchstone that the scripts run.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"touchstone": main})
}

// hostKey finds a script's host among the values of its environment.
type hostKey struct{}

// scriptsEnd is when a script that still runs is told to end; all of them take a minute together.
const scriptsEnd = 10 * time.Minute

// TestScripts runs testdata/script/*.txtar, one file a subject. Besides the commands of testscript a
// script has:
//
//	host start demo|serve DATA [FLAG...]  start a host on a free loopback port; its address is $HOST
//	host await REGEXP [N]                 wait until N lines of the host's output match
//	host freeze                           stop the host's process without ending it
//	host stop                             Ctrl-C: it must end with exit code 0
//	host terminate                        SIGTERM: likewise
//	host kill                             kill -9
//	flip DATA ENTRY COLUMN                change one bit of the journal block that holds an entry
//	entry NAME FILE LINE                  set $NAME to the journal entry of a line of a terminal's JSON
//	occupy                                take a loopback port; its address is $TAKEN
//	fixture-format FILE                   the form of the printed fixture
//	no-secrets FIXTURE PATH...            no card number, track, PIN or key of the fixture is in any file
//	until REGEXP touchstone ARG...        do a command again until what it says matches, whatever its exit code
//	picture FILE WIDTH HEIGHT               write a PNG
//	card FIXTURE FILE                       write the first card of the fixture
//	tap FILE | tap stop                     take down, as a capture, what terminals say to the host by way of $TAP
//	agree TERMINAL JOURNAL                every approved sale of a terminal's JSON is sold in the journal's
//
// The host's output is in host.out and host.err. Every host ends with its script, also a failed one.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: setUpScript,
		// What hangs is a failure of its own script, not of the whole test binary.
		Deadline: time.Now().Add(scriptsEnd),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"host": scriptHost, "occupy": scriptOccupy, "fixture-format": scriptFixtureFormat,
			"no-secrets": scriptNoSecrets, "agree": scriptAgree, "flip": scriptFlip, "until": scriptUntil, "entry": scriptEntry,
			"picture": scriptPicture, "card": scriptCard, "tap": scriptTap,
		},
	})
}

func setUpScript(env *testscript.Env) error {
	env.Values[hostKey{}], env.Values[tapKey{}] = &runningHost{}, &tapHolder{}
	env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
	return os.Mkdir(filepath.Join(env.WorkDir, "keys"), 0o700)
}
