package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"touchstone/fleet"
	"touchstone/releases"
	"touchstone/terminal"
)

// terminalUpdate fetches, verifies and installs what is released for a terminal.
type terminalUpdate struct {
	Repository string `name:"repository" required:"" help:"https://..., http://127.0.0.1..., or a directory." placeholder:"URL|DIR"`
	Root       string `name:"trusted-root" help:"The root.json that came with the terminal; needed the first time." placeholder:"FILE"`
	CA         string `name:"repository-ca" help:"Authority of the web server's certificate, PEM; else the system's." placeholder:"FILE"`
	Model      string `name:"model" help:"Of the device. Default: the fixture's or the TOML file's."`
	Hardware   string `name:"hardware" help:"Hardware version of the device, likewise." placeholder:"VERSION"`
	Version    string `name:"version" help:"Install this version, in place of the newest for the model and hardware." placeholder:"VERSION"`
	Check      bool   `name:"check" help:"Say what would be installed, and install nothing."`

	Fixture  string `help:"Terminals of a demonstration (touchstone demo --print-fixture), - for standard input." placeholder:"FILE" xor:"source"`
	Config   string `help:"One terminal's TOML file." placeholder:"FILE" xor:"source"`
	Terminal string `help:"Terminal of the fixture. Default: the first visitor." placeholder:"ID"`
	State    string `help:"Directory of the terminal's file. Default: touchstone/terminals under the user's cache directory." placeholder:"DIR"`
	Lang     string `help:"Language of what is said." enum:"en,zh" default:"en"`
}

// Help is shown by touchstone terminal update --help.
func (terminalUpdate) Help() string {
	return `A client of The Update Framework: what it installs was signed by two people, is not older than anything it saw before, has
not expired, and is whole. What it trusts is kept beside the terminal's file. Nothing is installed in part: a terminal that is
switched off in between runs what it ran before. The next message reports the new version in tag A2 of DE59.

  touchstone terminal update --config shop.toml --repository https://host:8585/releases --trusted-root 1.root.json
  touchstone terminal update --fixture fixture.json --repository shop/releases/repository --trusted-root 1.root.json --check`
}

// Run updates the terminal.
func (c *terminalUpdate) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	like := terminalCmd{Fixture: c.Fixture, Config: c.Config, Terminal: c.Terminal, State: c.State, Lang: c.Lang}
	setup, err := like.load(a)
	if err != nil {
		return err
	}
	defer setup.card.Wipe()
	if setup.config.StateDir, err = like.stateDir(a); err != nil {
		return err
	}
	c.Model, c.Hardware = firstOf(c.Model, setup.model), firstOf(c.Hardware, setup.hardware)
	if c.Model == "" {
		return errors.New("the model of the device is not known: give --model, or model in the TOML file")
	}
	t, err := terminal.Open(setup.config)
	if err != nil {
		return err
	}
	defer t.Close()
	client, err := c.client(setup.config.StateDir, setup.config.Terminal.String())
	if err != nil {
		return err
	}
	return c.update(a.ctx, a, l, t, client)
}

// client is the terminal's own, with what it trusted so far.
func (c *terminalUpdate) client(stateDir, id string) (*releases.Client, error) {
	client := &releases.Client{Source: c.Repository, Dir: filepath.Join(stateDir, "terminal-"+id+".releases")}
	if c.Root != "" {
		root, err := readBounded(c.Root, 1<<20)
		if err != nil {
			return nil, fmt.Errorf("read root of trust: %w", err)
		}
		client.Root = root
	}
	if c.CA != "" {
		text, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s: no certificate in PEM", c.CA)
		}
		client.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	}
	return client, nil
}

func (c *terminalUpdate) update(ctx context.Context, a *app, l *lines, t *terminal.Terminal, client *releases.Client) error {
	session, err := client.Refresh(ctx)
	if err != nil {
		return err
	}
	offer, err := chooseOffer(session.Offers(), c.Model, c.Hardware, c.Version)
	if err != nil {
		return err
	}
	was, err := fleet.ParseVersion(t.Version())
	now, bad := fleet.ParseVersion(offer.About.Version)
	switch {
	case bad != nil:
		return fmt.Errorf("%w: release %.20q: %w", releases.ErrMalformed, offer.About.Version, bad)
	case err == nil && now.Compare(was) == 0:
		_, err := fmt.Fprintf(a.stdout, l.two("%s is installed, and is the newest for %s\n", "已安装 %s, 是 %s 的最新版本\n"), t.Version(), c.Model)
		return err
	case err == nil && now.Compare(was) < 0:
		return fmt.Errorf("%w: release %s, and %s is installed", releases.ErrOlder, offer.About.Version, t.Version())
	}
	if c.Check {
		_, err := fmt.Fprintf(a.stdout, l.two("%s would be installed over %s (%d bytes, sha-256 %s)\n", "将安装 %s, 替换 %s (%d 字节, sha-256 %s)\n"), offer.About.Version, t.Version(), offer.Length, offer.Digest)
		return err
	}
	content, err := session.Fetch(ctx, offer)
	if err != nil {
		return err
	}
	former := t.Version()
	if err := t.Install(offer.About.Version, content); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, l.two("installed %s over %s (%d bytes, sha-256 %s)\nthe next message reports it\n", "已安装 %s, 替换 %s (%d 字节, sha-256 %s)\n下一笔报文将上送新版本\n"),
		offer.About.Version, former, offer.Length, offer.Digest)
	if notes := strings.TrimSpace(l.two(offer.About.Notes, offer.About.NotesZH)); notes != "" {
		fmt.Fprintln(a.stdout, notes)
	}
	return nil
}

// chooseOffer is the newest release of a model that runs on the hardware and is not withdrawn, or the version that
// was asked for.
func chooseOffer(offers []releases.Offer, model, hardware, version string) (*releases.Offer, error) {
	var best *releases.Offer
	var newest fleet.Version
	for i := range offers {
		o := &offers[i]
		if o.About.Model != model || o.About.State == string(fleet.Withdrawn) || version != "" && o.About.Version != version {
			continue
		}
		runs, err := fleet.ParseRange(o.About.Hardware)
		v, bad := fleet.ParseVersion(o.About.Version)
		if err != nil || bad != nil {
			return nil, fmt.Errorf("%w: release %s: %w", releases.ErrMalformed, o.Path, errors.Join(err, bad))
		}
		if h, err := fleet.ParseVersion(hardware); !runs.All() && (err != nil || !runs.Has(h)) {
			continue
		}
		if best == nil || v.Compare(newest) > 0 {
			best, newest = o, v
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: %s, hardware %s", releases.ErrNothing, model, firstOf(hardware, "?"))
	}
	return best, nil
}
