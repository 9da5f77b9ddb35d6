package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/staff"
)

// The people of a test data directory. Their passphrases are published: they stand in its directory staff.
var samplePeople = [...]staff.Account{
	{Name: "zhao", FullName: "赵敏 Zhao Min", Person: "E-1001", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Administrator}},
	{Name: "qian", FullName: "钱进 Qian Jin", Person: "E-1002", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Security, staff.KeyCustodian}},
	{Name: "sun", FullName: "孙丽 Sun Li", Person: "E-1003", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Security, staff.KeyCustodian}},
	{Name: "li", FullName: "李强 Li Qiang", Person: "E-1004", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Field}},
	{Name: "zhou", FullName: "周游 Zhou You", Person: "E-1005", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Field}},
	{Name: "chen", FullName: "陈明 Chen Ming", Person: "E-1006", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Support}},
	{Name: "wang", FullName: "王芳 Wang Fang", Person: "E-1007", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Support}},
	{Name: "wu", FullName: "吴静 Wu Jing", Person: "L-2001", Organisation: sampleLaboratory, Roles: []staff.Role{staff.Assessor}},
	{Name: "zheng", FullName: "郑直 Zheng Zhi", Person: "L-2002", Organisation: sampleLaboratory, Roles: []staff.Role{staff.Assessor}},
	{Name: "zheng.2", FullName: "郑直 Zheng Zhi", Person: "L-2002", Organisation: sampleLaboratory, Roles: []staff.Role{staff.Assessor}}, // a second account of one person
	{Name: "feng", FullName: "冯审 Feng Shen", Person: "E-1008", Organisation: sampleAcquirer, Roles: []staff.Role{staff.Auditor}},
}

// The organisations of the samples.
const (
	sampleAcquirer   = "Sample Acquirer 示例收单机构"
	sampleLaboratory = "Sample POS Laboratory 示例检测实验室"
	sampleMaker      = "Sample Maker 示例厂商"
)

// seedStaff makes the accounts of a test data directory that are not there yet.
func (e *engine) seedStaff(ctx context.Context) error {
	dir := filepath.Join(e.dir, sampleStaffDirectory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, sample := range samplePeople {
		var known bool
		e.office.view(func(r *rooms) { known = r.staff.Account(sample.Name) != nil })
		if known {
			continue
		}
		if err := e.seedPerson(ctx, dir, sample); err != nil {
			return err
		}
	}
	return nil
}

// seedPerson makes one account, whose published passphrase stands in dir.
func (e *engine) seedPerson(ctx context.Context, dir string, account staff.Account) error {
	path := filepath.Join(dir, account.Name+".pass")
	if err := os.WriteFile(path, fmt.Appendf(nil, "published passphrase of %s\n", account.Name), 0o600); err != nil {
		return err
	}
	hash, err := publishedHash(path)
	if err != nil {
		return err
	}
	account.Passphrase = hash
	if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.Register(r.staff, &account, "setup", now)
	}); err != nil {
		return fmt.Errorf("sample account %s: %w", account.Name, err)
	}
	return nil
}

// publishedHash hashes a passphrase that stands beside its hash anyway.
func publishedHash(path string) (*staff.Hash, error) {
	text, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	passphrase := secret.Take(text)
	defer passphrase.Wipe()
	return saltedHash(passphrase, staff.NewPublishedHash)
}
