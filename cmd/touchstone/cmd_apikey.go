package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// apiKeyCmd keeps the keys by which programs call the JSON interface.
type apiKeyCmd struct {
	Add    apiKeyAdd    `cmd:"" help:"Make a key; it is shown once."`
	List   apiKeyList   `cmd:"" help:"Every key: what for, whose, which roles, until when, last used."`
	Revoke apiKeyRevoke `cmd:"" help:"End a key, at once."`
}

// Help is shown by touchstone api-key --help.
func (apiKeyCmd) Help() string {
	return `A key lets a program call /api/v1 under the account of a person who answers for it, with some of that account's roles. It
never agrees to what somebody else proposed. A key of the role merchant sees its account's shop alone.

  touchstone api-key add "settlement export" --account qian --role security --days 90 --data shop --as zhao --as-passphrase-file zhao.pass
  touchstone api-key list --data shop
  touchstone api-key revoke KEY-1 --data shop --as zhao --as-passphrase-file zhao.pass

  curl -H "Authorization: Bearer tsk_..." http://127.0.0.1:8080/api/v1/merchants
  curl -H "Authorization: Bearer tsk_..." -H "Idempotency-Key: $(uuidgen)" -H "Content-Type: application/json" \
      -d '{"terminal":"00000011","operator":"001"}' http://127.0.0.1:8080/api/v1/glances

The reference of the interface: /docs of the console, or touchstone api openapi.`
}

type apiKeyAdd struct {
	actFlags
	Name    string   `arg:"" help:"What it is for."`
	Account string   `name:"account" required:"" help:"Who answers for it." placeholder:"NAME"`
	Roles   []string `name:"role" required:"" help:"Some of that account's roles; may be given again."`
	Days    int      `name:"days" default:"90" help:"How long it opens, at most 400."`
}

// Run makes the key.
func (c *apiKeyAdd) Run(a *app) error {
	request := &apiKeyChange{Name: c.Name, Account: c.Account, Days: c.Days}
	for _, r := range c.Roles {
		request.Roles = append(request.Roles, staff.Role(r))
	}
	told, err := c.perform(a, change{APIKey: request})
	if err != nil || told.Secret == "" {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n", told.Secret)
	_, err = fmt.Fprintln(a.stderr, a.words().two("keep it now: it is shown this once and nowhere kept", "请立即保存: 仅显示一次, 系统不保存"))
	return err
}

type apiKeyList struct {
	directoryFlags
	AsOf string `name:"as-of" help:"As they were on a day (its end), or at an instant (RFC 3339)." placeholder:"DATE"`
	JSON bool   `name:"json" help:"One JSON object."`
}

// Run lists the keys.
func (c *apiKeyList) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var list []api.APIKey
	if err := c.question(a, change{APIKeys: &apiKeysQuery{AsOf: at}}, &list); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(a.stdout, a.words().two("no keys yet: touchstone api-key add --help", "尚无密钥: touchstone api-key add --help"))
		return err
	}
	for _, k := range list {
		state := a.words().two("until ", "有效期至 ") + k.Until.Format(time.DateOnly)
		if k.Revoked != nil {
			state = a.words().two("revoked ", "已吊销 ") + k.Revoked.Format(time.DateOnly)
		}
		used := k.LastUse
		if used == "" {
			used = a.words().two("never used", "未使用")
		}
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s  %s\n", pad(k.ID, 7), pad(k.Name, 24), pad(k.Account, 10), pad(a.words().roles(k.Roles), 20), pad(state, 18), used)
	}
	return nil
}

type apiKeyRevoke struct {
	actFlags
	ID string `arg:"" help:"The key's number, such as KEY-1."`
}

// Run ends the key.
func (c *apiKeyRevoke) Run(a *app) error {
	_, err := c.perform(a, change{APIKeyRevoke: &apiKeyRevocation{ID: strings.ToUpper(c.ID)}})
	return err
}

// apiCmd is about the interface itself.
type apiCmd struct {
	OpenAPI apiOpenAPI `cmd:"" name:"openapi" help:"Print the OpenAPI 3.1 document of this version; no host is needed."`
}

type apiOpenAPI struct{}

// Run prints the document.
func (apiOpenAPI) Run(a *app) error {
	document, err := openAPI()
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(bytes.TrimSpace(document), '\n'))
	return err
}

// openAPI is the document of this version, made without a host.
func openAPI() ([]byte, error) {
	programs := api.New(web.NewRouter(slog.New(slog.DiscardHandler)), version())
	programs.Mount(newDesk(&engine{}))
	return programs.Document()
}
