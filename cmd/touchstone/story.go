package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"touchstone/explain"
)

// storyCmd tells the whole circle as one run: a terminal goes bad, and everybody it touches is looked after.
type storyCmd struct {
	Dir  string `name:"dir" default:"touchstone-data/story" help:"Directory of the story: a test data directory, terminals, keys, documents." placeholder:"DIR"`
	Fast bool   `name:"fast" help:"Without pauses: some seconds."`
	Step bool   `name:"step" help:"Wait for Enter after each step."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone story --help.
func (storyCmd) Help() string {
	return `Ten steps against a demonstration host of its own: sales pass at five shops; one model begins to fail; the incident opens
itself; the laboratory confirms and the model's permit falls; an inspection finds a foreign device; exposed sales, notices by
mail; a consumer claims and is paid back; terminals are upgraded or replaced; the incident closes; the books are checked.

Each line that begins with $ is a command you can type yourself; below it stands what it answered. Nothing is shown that
was not computed from this run, every step is checked, and the exit code is 1 when one does not hold. A story that was
interrupted, even killed, goes on where it was. A finished one is put aside as DIR.previous when another begins.

  touchstone story                 three minutes, at human pace
  touchstone story --fast          without pauses
  touchstone story --step          at yours: Enter after each step`
}

// The pace of the story.
const (
	storyPause     = 1800 * time.Millisecond // after a command
	storyStepPause = 4 * time.Second         // before a step
	storyHostStart = 60 * time.Second        // until its host listens
	storyShown     = 14                      // lines of one answer that are shown
)

// storyProgress is what was done already, saved after each command.
type storyProgress struct {
	Done     map[string]string `json:"done"`  // the output of each command by its key
	Begun    string            `json:"begun"` // the key of the command that was running last
	Steps    int               `json:"steps"` // finished
	Finished bool              `json:"finished"`
}

// storyStep is one step of the story.
type storyStep struct {
	title explain.Text
	tell  func(*story) error
}

// story is one run. It touches its host only as a user does: by commands, and by terminals on the wire.
type story struct {
	a        *app
	cmd      *storyCmd
	l        *lines
	out      io.Writer
	progress storyProgress
	file     string
	address  map[string]string // of the host: tcp, tls, https, smtp
	input    *storyInput
	balances int // asked so far
}

// Run tells the story from where it stands.
func (c *storyCmd) Run(a *app) error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	show, err := newLines(a.stdout, c.Lang, isTerminal(a.stdout) && a.getenv("NO_COLOR") == "")
	if err != nil {
		return err
	}
	s := &story{a: a, cmd: c, l: show, out: &flushing{w: a.stdout}, file: filepath.Join(c.Dir, "story.json"), input: &storyInput{r: a.stdin}}
	if err := s.resume(); err != nil {
		return err
	}
	ctx, end := context.WithCancel(a.ctx)
	host, err := s.startHost(ctx)
	if err != nil {
		end()
		return err
	}
	err = s.tellAll()
	end()
	return errors.Join(err, host())
}

// resume reads how far an interrupted story came; a finished one is put aside.
func (s *story) resume() error {
	s.progress.Done = map[string]string{}
	raw, err := os.ReadFile(s.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &s.progress); err != nil {
		return fmt.Errorf("%s: not a story's progress: remove %s to begin anew", s.file, s.cmd.Dir)
	}
	if !s.progress.Finished {
		return nil
	}
	old := filepath.Clean(s.cmd.Dir) + ".previous"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(s.cmd.Dir, old); err != nil {
		return err
	}
	s.progress = storyProgress{Done: map[string]string{}}
	return os.MkdirAll(s.cmd.Dir, 0o700)
}

// save makes the progress durable.
func (s *story) save() error {
	raw, err := json.Marshal(&s.progress)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.cmd.Dir, "story-")
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return errors.Join(os.Rename(f.Name(), s.file), syncDirectory(s.cmd.Dir))
}

func (s *story) tellAll() error {
	fmt.Fprintf(s.out, "\n  TOUCHSTONE 试金石   %s\n", s.l.two("a terminal goes bad, and everybody it touches is looked after", "一台终端出了问题, 受影响的每一个人都得到照顾"))
	if s.progress.Steps > 0 {
		fmt.Fprintf(s.out, "  "+s.l.two("going on after step %d of an interrupted story", "继续上次中断的故事, 已完成第 %d 步")+"\n", s.progress.Steps)
	}
	begun := time.Now()
	for i, step := range storySteps() {
		if i < s.progress.Steps {
			continue
		}
		if err := s.pause(storyStepPause); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "\n── %d  %s\n", i, step.title.In(s.l.lang))
		from := time.Now()
		if err := step.tell(s); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
		s.progress.Steps = i + 1
		if err := s.save(); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "── %d  "+s.l.two("holds   (%.1f s)", "成立   (%.1f 秒)")+"\n", i, time.Since(from).Seconds())
		if s.cmd.Step {
			if err := s.input.enter(s.a.ctx); err != nil {
				return err
			}
		}
	}
	s.progress.Finished = true
	fmt.Fprintf(s.out, "\n  "+s.l.two("The circle is closed, in %.1f s. All of it stands in the journal: %s journal tail --data %s -n 200",
		"整个循环完成, 用时 %.1f 秒. 全部记录在日志中: %s journal tail --data %s -n 200")+"\n", time.Since(begun).Seconds(), program(), s.data())
	return s.save()
}

// data is the story's data directory.
func (s *story) data() string { return filepath.Join(s.cmd.Dir, "data") }

// path is a file of the story.
func (s *story) path(name string) string { return filepath.Join(s.cmd.Dir, name) }

func (s *story) pause(d time.Duration) error {
	if s.cmd.Fast || s.cmd.Step {
		return s.a.ctx.Err()
	}
	if !pause(s.a.ctx, d) {
		return s.a.ctx.Err()
	}
	return nil
}

// say prints a sentence of the narrator.
func (s *story) say(en, zh string, args ...any) {
	fmt.Fprintf(s.out, "\n   "+s.l.two(en, zh)+"\n", args...)
}

// command is one command of the story.
type command struct {
	key     string   // of the progress: what is recorded is not done again
	args    []string // after touchstone
	fails   bool     // its exit code must be 1: it is refused, and should be
	hidden  bool     // not shown: a question of the narrator's, or one of many alike
	already string   // what it answers where it was carried out, but the story was killed before it learned that
	tail    int      // only so many of the last lines are shown; 0: the beginning and the end
	whole   bool     // all its lines are shown
}

// do runs a command as a user would type it, shows its answer and returns its output. What an interrupted
// story recorded is not done again.
func (s *story) do(c command) (string, error) {
	if done, ok := s.progress.Done[c.key]; ok && c.key != "" {
		return done, nil
	}
	killed := c.key != "" && s.progress.Begun == c.key
	if c.key != "" && !killed {
		s.progress.Begun = c.key
		if err := s.save(); err != nil {
			return "", err
		}
	}
	if !c.hidden {
		fmt.Fprintf(s.out, "   $ %s %s\n", program(), shellWords(c.args))
	}
	var out bytes.Buffer
	sub := *s.a
	sub.stdin, sub.stdout, sub.stderr = strings.NewReader(""), &out, &out
	sub.getenv = func(name string) string {
		if name == languageVariable {
			return s.cmd.Lang
		}
		return s.a.getenv(name)
	}
	code := run(&sub, c.args)
	text := out.String()
	if !c.hidden {
		s.showAnswer(text, c.tail, c.whole)
	}
	if (code != 0) != c.fails && !(killed && c.already != "" && regexp.MustCompile(c.already).MatchString(text)) {
		return text, fmt.Errorf("%s %s: exit code %d\n%s", program(), shellWords(c.args), code, text)
	}
	if c.key != "" {
		s.progress.Done[c.key] = text
		if err := s.save(); err != nil {
			return text, err
		}
	}
	if c.hidden {
		return text, s.a.ctx.Err()
	}
	return text, s.pause(storyPause)
}

// showAnswer prints an answer, indented; of a long one its beginning and its end.
func (s *story) showAnswer(text string, tail int, whole bool) {
	list := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if tail > 0 && len(list) > tail {
		list = list[len(list)-tail:]
	}
	whole = whole || len(list) <= storyShown+3 // to leave out three lines saves nothing
	for i, line := range list {
		if !whole && i == storyShown-4 {
			fmt.Fprintf(s.out, "     … "+s.l.two("%d lines more", "另有 %d 行")+"\n", len(list)-storyShown)
		}
		if !whole && i >= storyShown-4 && i < len(list)-4 {
			continue
		}
		fmt.Fprintf(s.out, "     %s\n", line)
	}
}

// ask runs a question that answers JSON, unseen.
func (s *story) ask(answer any, args ...string) error {
	text, err := s.do(command{args: args, hidden: true})
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), answer); err != nil {
		return fmt.Errorf("%s %s: its answer is not the JSON expected: %w", program(), shellWords(args), err)
	}
	return nil
}

// holds is the narrator's check of what was just told.
func (s *story) holds(ok bool, what string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("does not hold: "+what, args...)
}

// find is the first group of a pattern in an answer.
func find(pattern, text string) (string, error) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if len(m) < 2 {
		return "", fmt.Errorf("no %s in %q", pattern, text)
	}
	return m[1], nil
}

var plainWord = regexp.MustCompile(`^[-A-Za-z0-9_./:@,=+]+$`)

// shellWords is a command as a shell takes it.
func shellWords(args []string) string {
	words := make([]string, len(args))
	for i, w := range args {
		if words[i] = w; !plainWord.MatchString(w) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// storyInput reads one line at a time, so that Enter goes on.
type storyInput struct {
	r     io.Reader
	once  sync.Once
	lines chan error
}

func (i *storyInput) enter(ctx context.Context) error {
	i.once.Do(func() {
		i.lines = make(chan error)
		go func() {
			one := make([]byte, 1)
			for {
				n, err := i.r.Read(one)
				if err != nil || n == 1 && one[0] == '\n' {
					select {
					case i.lines <- err:
					case <-ctx.Done():
						return
					}
				}
				if err != nil {
					return
				}
			}
		}()
	})
	select {
	case err := <-i.lines:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bannerReader keeps what the host prints until somebody has seen enough of it.
type bannerReader struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

// Write implements io.Writer.
func (b *bannerReader) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.text.Len() < 1<<16 {
		b.text.Write(p)
	}
	select {
	case b.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (b *bannerReader) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var bannerAddress = regexp.MustCompile(`\b(tcp|tls|https|smtp) (127\.0\.0\.1:[0-9]+)`)

// startHost runs the demonstration, quiet, on the story's data directory and on ports that are free, and waits
// until it listens. The returned func waits for its end.
func (s *story) startHost(ctx context.Context) (wait func() error, err error) {
	banner := &bannerReader{more: make(chan struct{}, 1)}
	sub := *s.a
	sub.ctx, sub.stdout, sub.stderr = ctx, banner, banner
	ended := make(chan int, 1)
	go func() { ended <- run(&sub, s.hostArgs()) }()
	timeout, look := time.NewTimer(storyHostStart), time.NewTicker(20*time.Millisecond)
	defer timeout.Stop()
	defer look.Stop()
	for {
		select {
		case <-banner.more:
		case <-look.C:
		case code := <-ended:
			return nil, fmt.Errorf("the story's host did not start: exit code %d\n%s", code, banner)
		case <-timeout.C:
			return nil, fmt.Errorf("the story's host does not listen\n%s", banner)
		}
		s.address = map[string]string{}
		text := banner.String()
		for _, m := range bannerAddress.FindAllStringSubmatch(text, -1) {
			s.address[m[1]] = m[2]
		}
		// The heading of the columns is printed when all addresses are open.
		if _, up := s.address["tcp"]; up && strings.Contains(text, s.l.two("what", "交易")) {
			if _, running, _ := ask(s.data(), change{Status: &statusQuery{}}); running {
				break
			}
		}
	}
	s.progress.Done["address tcp"], s.progress.Done["address tls"] = s.address["tcp"], s.address["tls"]
	return func() error {
		if code := <-ended; code != 0 {
			return fmt.Errorf("the story's host ended with exit code %d\n%s", code, banner)
		}
		return nil
	}, nil
}

// hostArgs run the host where it was when the story was interrupted, else on ports that are free.
func (s *story) hostArgs() []string {
	at := func(port string) string { return cmp.Or(s.progress.Done["address "+port], "127.0.0.1:0") }
	return []string{"demo", "--quiet", "--data", s.data(), "--tcp", at("tcp"), "--tls", at("tls"), "--observe", "", "--canary", "off", "--lang", s.cmd.Lang}
}
