package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/lab/attest"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/staff"
	"touchstone/web"
)

// attacksRecorded: every refused message is an entry with its origin, time, type, result and reason.
func attacksRecorded(o *operations) (operationState, lab.Text) {
	words := say("%d refused messages in the journal, %d lack a field; an entry has no room for a card number or a key", "日志中被拒报文 %d 条, 缺少字段 %d 条; 条目中没有存放卡号或密钥的位置", o.refused, o.incomplete)
	switch {
	case !o.whole:
		return o.tooLong()
	case o.refused == 0:
		return opNotSatisfied, say("no message was refused yet: run the canary or the laboratory", "尚无被拒报文: 请运行探测或检测")
	case o.incomplete > 0:
		return opNotSatisfied, words
	}
	return opSatisfied, words
}

// trailIntact: the chain verifies, and in a copy of the newest block a bit, an entry less and another order do not.
func trailIntact(o *operations) (operationState, lab.Text) {
	switch {
	case o.chain != nil:
		return opNotSatisfied, say("the chain is broken: %v", "链条断裂: %v", o.chain)
	case o.witness != nil:
		return opNotSatisfied, say("a witness does not agree: %v", "见证不一致: %v", o.witness)
	case !o.whole:
		return o.tooLong()
	}
	if o.last.N == 0 {
		return opNotSatisfied, say("the journal is empty", "日志为空")
	}
	tampered := func(change func(b *journal.Block)) bool {
		b := o.last
		b.Body = slices.Clone(o.last.Body)
		change(&b)
		return journal.NewVerifier(b.First-1, b.Prev).Block(b) != nil
	}
	bit := tampered(func(b *journal.Block) { b.Body[len(b.Body)/2] ^= 1 })
	fewer := tampered(func(b *journal.Block) { b.N-- })
	moved := tampered(func(b *journal.Block) { slices.Reverse(b.Body) })
	if !bit || !fewer || !moved {
		return opNotSatisfied, say("a change in a copy was not noticed", "副本中的改动未被发现")
	}
	words := say("%d entries verify; in a copy a changed bit, a dropped entry and another order are noticed", "%d 条日志校验通过; 副本中的改位、删条与乱序均被发现", o.entries)
	if o.witnessed == 0 {
		words.EN += "; no witness outside the data directory is named"
		words.ZH += "; 未设数据目录之外的见证"
		return opPartly, words
	}
	words.EN += fmt.Sprintf("; %d witnesses outside the data directory agree", o.witnessed)
	words.ZH += fmt.Sprintf("; 数据目录之外的 %d 个见证一致", o.witnessed)
	return opSatisfied, words
}

// trailKept: everything since the first entry is here; nothing removes an entry.
func trailKept(o *operations) (operationState, lab.Text) {
	if !o.whole {
		return o.tooLong()
	}
	return opSatisfied, say("all %d entries since %s are here and searchable; no command removes one", "自 %[2]s 起的 %[1]d 条日志全部保留并可检索; 没有删除命令", o.entries, o.first.Time().UTC().Format("2006-01-02"))
}

// lockouts guesses at an account of its own, in a room of its own, and looks for the lock, its length and its alarm.
func lockouts(o *operations) (operationState, lab.Text) {
	room, who := staff.NewState(), staff.Account{Name: "test", Key: make([]byte, 32)}
	account, err := journal.NewChange(staff.NounAccount, who.Name, &who)
	if err != nil || room.Fold(1, account) != nil {
		return opNotSatisfied, say("the account to guess at was not made", "未能建立试验账号")
	}
	at, alarms, after, until := o.now, 0, 0, pos.Instant(0)
	for i := 1; i <= 12; i++ {
		drafts, events, err := staff.WrongPassphrase(room, who.Name, at)
		if err != nil {
			return opNotSatisfied, say("a wrong passphrase is not counted", "错误口令未被计数")
		}
		for _, d := range drafts {
			for _, c := range d.Act.Changes {
				err = errors.Join(err, room.Fold(uint64(i+1), c))
			}
		}
		if alarms += len(events); after == 0 && room.Locked(who.Name, at) != 0 {
			after, until = i, room.Locked(who.Name, at)
		}
		at = at.Add(time.Second)
	}
	if after == 0 || after > 10 || until.Sub(o.now) < 30*time.Minute || alarms != 1 {
		return opNotSatisfied, say("twelve wrong passphrases: locked after %d, %d alarms", "十二次错误口令: 第 %d 次后锁定, 告警 %d 次", after, alarms)
	}
	wrong, locks := 0, 0
	for _, a := range o.r.staff.Accounts() {
		if g := o.r.staff.Guesses(a.Name); g != nil {
			wrong, locks = wrong+g.InARow, locks+g.Locks
		}
	}
	return opPartly, say("twelve wrong passphrases: locked after %d for %s, one alarm, one entry each; here %d wrong now, %d locks in all; %d rules open incidents of what spreads over terminals; but failed MACs of one terminal suspend nothing, with a certificate or without",
		"十二次错误口令: 第 %d 次后锁定 %s, 告警一次, 逐次记录; 此处当前错误 %d 次, 累计锁定 %d 次; %d 条规则对多终端失败自动立案; 但单台终端 MAC 连续失败不会使其停用, 无论有无证书", after, staff.LockedFor, wrong, locks, len(o.r.incident.Data().Rules))
}

// passphraseRules tries what may not be set, and what may, and looks at how the hashes are kept.
func passphraseRules(o *operations) (operationState, lab.Text) {
	who := &staff.Account{Name: "qian", FullName: "Qian Jin", Person: "E-1", Organisation: "Sample Noodles"}
	try := func(text string) bool {
		p := secret.Take([]byte(text))
		defer p.Wipe()
		return staff.CheckPassphrase(p, who) == nil
	}
	for _, weak := range []string{"Password123!", "Password123!Password123!", "111111111111", "1111111111111111", "qian qian qian qian", "Sample Noodles Sample"} {
		if try(weak) {
			return opNotSatisfied, say("a weak passphrase of %d characters is accepted", "接受了 %d 个字符的弱口令", len(weak))
		}
	}
	if !try("a lamp 灯 walks over the quiet river before seven green doors opened") {
		return opNotSatisfied, say("a long passphrase with spaces and Chinese is refused", "拒绝了含空格与中文的长口令")
	}
	hashed, weak := 0, 0
	for _, a := range o.r.staff.Accounts() {
		if h := a.Passphrase; h != nil && !h.Published() {
			if hashed++; h.Memory < 19<<10 || h.Time < 2 || len(h.Salt) < 16 {
				weak++
			}
		}
	}
	if weak > 0 || staff.MinPassphrase < 15 || staff.KeptHashes < 4 {
		return opNotSatisfied, say("%d of %d hashes are too cheap, or the rules too short", "%[2]d 个哈希中 %[1]d 个强度不足, 或规则不足", weak, hashed)
	}
	return opSatisfied, say("weak ones refused, a long one accepted, at least %d characters, the last %d refused; %d Argon2id hashes of 19 MiB and more", "弱口令被拒, 长口令可用, 至少 %d 个字符, 不得重复最近 %d 个; %d 个 Argon2id 哈希, 内存 19 MiB 以上", staff.MinPassphrase, staff.KeptHashes, hashed)
}

// secondFactor: a browser's session begins with a passphrase and a code that is taken once; whoever has no second factor
// yet makes one before anything else. A test data directory asks only those who have one. The control socket may be opened
// by the host's own account alone.
func secondFactor(o *operations) (operationState, lab.Text) {
	path, err := controlPath(o.e.dir)
	if err == nil {
		if info, e := os.Stat(path); e == nil && info.Mode().Perm()&0o077 != 0 {
			return opNotSatisfied, say("the control socket may be opened by others", "控制套接字可被他人打开")
		}
	}
	enrolled, all := 0, 0
	for _, a := range o.r.staff.Accounts() {
		if a.Disabled {
			continue
		}
		if all++; o.r.staff.SecondFactor(a.Name) != nil {
			enrolled++
		}
	}
	words := say("a session needs a passphrase and a code that is taken once; %d of %d accounts have a second factor, the others make one at their next sign-in", "登录须口令加一次性验证码; %[2]d 个账户中 %[1]d 个已设第二因素, 其余在下次登录时设定", enrolled, all)
	if o.e.test {
		return opPartly, say("a test data directory asks a code only of those who have a second factor: %d of %d accounts", "测试数据目录仅向已设第二因素的账户索要验证码: %[2]d 个账户中 %[1]d 个", enrolled, all)
	}
	return opSatisfied, words
}

// rolesHold: acts of each room against every role; what is not declared is refused.
func rolesHold(o *operations) (operationState, lab.Text) {
	acts := []change{{Account: &accountChange{}}, {Resume: &resumeChange{}}, {Lab: &labChange{Issue: "RUN-1"}}, {Lab: &labChange{Scope: &lab.Scope{}}}, {Lab: &labChange{Stop: "SCP-1"}},
		{Lab: &labChange{Certificate: &lab.CertificateStep{}}}, {Lab: &labChange{Finding: &lab.FindingStep{}}}, {Device: &deviceChange{}}, {Terminal: &terminalChange{}}, {Release: &releaseChange{}}}
	tried, refused, free := 0, 0, 0
	for i := range acts {
		d, known := acts[i].duty()
		if !known || len(d.roles) == 0 {
			return opNotSatisfied, say("an act is open to every account", "有操作向所有账号开放")
		}
		if d.free && o.e.test {
			free++
		}
		for _, role := range staff.Roles {
			who := staff.Account{Roles: []staff.Role{role}}
			if tried++; !who.May(d.roles...) {
				refused++
			}
		}
		auditor := staff.Account{Roles: []staff.Role{staff.Auditor}}
		if auditor.May(d.roles...) {
			return opNotSatisfied, say("an auditor may change something", "审计员可以更改内容")
		}
	}
	empty := change{}
	if _, known := empty.duty(); known {
		return opNotSatisfied, say("an act that nobody declared is carried out", "未声明的操作会被执行")
	}
	words := say("%d acts against %d roles: %d of %d refused as declared, what is not declared is refused; a session ends after %d minutes without a request", "%d 种操作对 %d 种角色: 按声明拒绝 %d/%d, 未声明者一律拒绝; 会话闲置 %d 分钟后结束", len(acts), len(staff.Roles), refused, tried, int(web.SessionIdle.Minutes()))
	if free > 0 {
		words.EN += fmt.Sprintf("; %d of them need no account in a test data directory", free)
		words.ZH += fmt.Sprintf("; 其中 %d 种在测试数据目录中无需账号", free)
		return opPartly, words
	}
	return opSatisfied, words
}

// failuresGuided: every reason of security has words for the cashier, support and engineer in both languages, and
// rules open cases.
func failuresGuided(o *operations) (operationState, lab.Text) {
	guided := 0
	for _, r := range reason.All() {
		if r == reason.None || r.OfIssuer() {
			continue
		}
		entry := o.shown.Reason(r)
		for _, l := range []explain.Language{explain.English, explain.Chinese} {
			if entry.Meaning.In(l) == "" || entry.Cashier.In(l) == "" || entry.Support.In(l) == "" {
				return opNotSatisfied, say("%s has no words for somebody", "%s 缺少指引", r)
			}
		}
		guided++
	}
	rules := len(o.r.incident.Data().Rules)
	if guided < 8 || rules == 0 {
		return opNotSatisfied, say("%d reasons, %d rules that open a case", "%d 种原因, %d 条立案规则", guided, rules)
	}
	return opSatisfied, say("%d distinct reasons with steps for cashier, support and engineer in two languages; %d rules open cases; uncertain sales are reversed", "%d 种原因均有收银员、客服与工程师的中英文步骤; %d 条规则自动立案; 不确定的交易自动冲正", guided, rules)
}

// refundsWithin: no sale of the journal was given back twice or beyond its amount.
func refundsWithin(o *operations) (operationState, lab.Text) {
	if !o.whole {
		return o.tooLong()
	}
	for seq, back := range o.refunded {
		if sold, known := o.sold[seq]; known && back > sold || o.undone[seq] {
			return opNotSatisfied, say("the sale of entry %d was given back beyond its amount", "第 %d 条的消费退款超出其金额", seq)
		}
	}
	if len(o.sold) == 0 {
		return opNotSatisfied, say("nothing was sold yet", "尚无消费")
	}
	return opSatisfied, say("%d sales, %d undone, %d refunded in part or whole, none beyond its amount or twice", "%d 笔消费, %d 笔撤销或冲正, %d 笔退款, 均未超额或重复", len(o.sold), len(o.undone), len(o.refunded))
}

// certificatePublic: the newest certificate verifies from its file and the keys; one byte changed, and it does not.
func certificatePublic(o *operations) (operationState, lab.Text) {
	all := o.r.lab.Certificates()
	if len(all) == 0 {
		return opNotSatisfied, say("no certificate was issued yet", "尚未发证")
	}
	newest := all[len(all)-1]
	envelope, err := o.e.keptFile(newest.Envelope)
	if err != nil {
		return opNotSatisfied, say("the envelope of %s is not here", "%s 的签名文件不在", newest.ID)
	}
	trusted := attest.Keys{}
	for _, k := range o.r.lab.Keys() {
		if key, err := x509.ParsePKIXPublicKey(k.Public); err == nil {
			trusted[k.ID] = key
		}
	}
	if _, err := attest.Open(context.Background(), envelope, trusted); err != nil {
		return opNotSatisfied, say("%s does not verify", "%s 校验不通过", newest.ID)
	}
	altered := []byte(strings.Replace(string(envelope), `"payload":"`, `"payload":"A`, 1))
	if _, err := attest.Open(context.Background(), altered, trusted); err == nil {
		return opNotSatisfied, say("an altered %s verifies", "被改动的 %s 也通过校验", newest.ID)
	}
	return opPartly, say("%s verifies from its file and two trusted keys, altered it does not; GET %s/%[1]s over HTTPS tells what it covers and what it is worth now, to be kept five minutes, and names no person; the answer is not signed by itself, and there is no code to scan and no log with proofs",
		"%s 凭文件与两把受信任公钥可验证, 改动后不可; HTTPS 的 GET %s/%[1]s 可查其范围与当前状态, 可缓存五分钟, 不含个人信息; 但应答本身未签名, 没有二维码与带证明的日志", newest.ID, certificatesPath)
}

// trained counts who of a register is trained.
func trained(list []staff.Standing) (right, all int) {
	for _, s := range list {
		if s.State == staff.CashierLeft {
			continue
		}
		if all++; s.State == registry.Good {
			right++
		}
	}
	return right, all
}

// counterTrained: everybody at the counter, and the four topics in the rule.
func counterTrained(o *operations) (operationState, lab.Text) {
	right, all := trained(o.r.staff.CashierRegister("", o.now))
	words := say("%d of %d cashiers passed with %d in 100 within a year; rule %s, %d questions", "%[2]d 名收银员中 %[1]d 名在一年内以 %[3]d 分以上通过; 规则 %[4]s, %[5]d 题", right, all, staff.PassPercent, o.bank.Rule.Version, len(o.bank.Questions))
	if all == 0 || right < all {
		return opNotSatisfied, words
	}
	return opSatisfied, words
}

// everybodyTrained: accounts and counter, 98 in 100.
func everybodyTrained(o *operations) (operationState, lab.Text) {
	right, all := trained(append(o.r.staff.StaffRegister(staff.CounterTopic, o.now), o.r.staff.CashierRegister("", o.now)...))
	words := say("%d of %d people with an account or at a counter are trained within a year", "有账号或在柜台的 %[2]d 人中 %[1]d 人在一年内受训", right, all)
	if all == 0 || 100*right < 98*all {
		return opNotSatisfied, words
	}
	return opSatisfied, words
}

// developersTrained: accounts with the role developer.
func developersTrained(o *operations) (operationState, lab.Text) {
	right, all := trained(o.r.staff.StaffRegister(staff.DeveloperTopic, o.now))
	if all == 0 {
		return opNotApplicable, say("nobody here has the role developer: no payment software is developed", "此处无人具有开发角色: 不开发支付软件")
	}
	words := say("%d of %d developers attended a course within a year", "%[2]d 名开发人员中 %[1]d 名在一年内受训", right, all)
	if right < all {
		return opNotSatisfied, words
	}
	return opSatisfied, words
}

// accountsSound: one person one account, no leaver, none stale, reviewed within six months.
func accountsSound(o *operations) (operationState, lab.Text) {
	f := o.r.staff.AccountFacts(o.now)
	words := say("%d accounts; stale %v, shared %v, a person's second %v, of leavers %v; review due: %v", "%d 个账号; 久未使用 %v, 共用 %v, 一人多号 %v, 离职未收回 %v; 待复核: %v", f.Accounts, f.Stale, f.Shared, f.Doubled, f.Leavers, f.ReviewDue)
	if f.Accounts == 0 || len(f.Stale)+len(f.Shared)+len(f.Doubled)+len(f.Leavers) > 0 || f.ReviewDue {
		return opNotSatisfied, words
	}
	return opSatisfied, words
}

// shopsGuided: 95 in 100 shops confirmed the newest rule.
func shopsGuided(o *operations) (operationState, lab.Text) {
	shops, right := map[pos.MerchantID]bool{}, 0
	for _, t := range o.terminals {
		shops[t.Merchant] = true
	}
	for m := range shops {
		if g := o.r.staff.Guided(m.String()); g != nil && g.Rule == o.bank.Rule.Version {
			right++
		}
	}
	words := say("%d of %d shops confirmed rule %s", "%[2]d 家商户中 %[1]d 家确认了规则 %[3]s", right, len(shops), o.bank.Rule.Version)
	if len(shops) == 0 || 100*right < 95*len(shops) {
		return opNotSatisfied, words
	}
	return opSatisfied, words
}
