package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"touchstone/explain"
	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// permitWords says a permit to a person.
func permitWords(l *lines, p registry.Permit) string {
	var words []string
	for _, w := range p.Words() {
		amount, limited := strings.CutPrefix(w, "limit:")
		switch {
		case limited:
			words = append(words, fmt.Sprintf(l.two("at most %s at once", "单笔不超过 %s"), amount))
		default:
			words = append(words, permitWord[w].In(l.lang))
		}
	}
	return strings.Join(words, l.two(", ", "、"))
}

var permitWord = map[string]explain.Text{
	"full":         {EN: "everything", ZH: "全部业务"},
	"no_refund":    {EN: "no refunds", ZH: "不得退货"},
	"online_only":  {EN: "only what is proven online", ZH: "仅限联机验证的交易"},
	"sign_in_only": {EN: "sign in only", ZH: "仅可签到"},
	"blocked":      {EN: "nothing: blocked", ZH: "全部停用"},
}

var factWord = map[registry.FactName]explain.Text{
	registry.FactRegistration: {EN: "registration", ZH: "登记"},
	registry.FactDevice:       {EN: "device", ZH: "设备状态"},
	registry.FactCertificate:  {EN: "certificate", ZH: "型号安全证书"},
	registry.FactApplication:  {EN: "application", ZH: "应用版本"},
	registry.FactAdvisory:     {EN: "advisories", ZH: "安全公告"},
	registry.FactInspection:   {EN: "inspection", ZH: "巡检"},
	registry.FactHealth:       {EN: "health report", ZH: "健康报告"},
	registry.FactCashier:      {EN: "cashier", ZH: "收银员"},
	registry.FactNetwork:      {EN: "network", ZH: "网络"},
	registry.FactSite:         {EN: "site", ZH: "场所"},
}

// factWords says a fact's state to a person; one of a later version is said as it stands in the journal.
func factWords(l *lines, f *registry.Fact) string {
	state := f.State
	if state == "" {
		state = "unknown"
	}
	if t, said := stateWord[state]; said {
		return t.In(l.lang)
	}
	return strings.ReplaceAll(state, "_", " ")
}

var stateWord = map[string]explain.Text{
	"good":            {EN: "good", ZH: "正常"},
	"unknown":         {EN: "unknown", ZH: "未知"},
	"restricted":      {EN: "restricted", ZH: "登记时受限"},
	"suspended":       {EN: "suspended", ZH: "暂停"},
	"tampered":        {EN: "tampering reported", ZH: "报告拆机"},
	"announced":       {EN: "announced by its maker", ZH: "厂商已预告"},
	"quarantined":     {EN: "quarantined", ZH: "已隔离"},
	"received":        {EN: "in stock", ZH: "在库"},
	"in_repair":       {EN: "in repair", ZH: "维修中"},
	"returned":        {EN: "returned, in stock", ZH: "已退库"},
	"retired":         {EN: "retired", ZH: "已退役"},
	"destroyed":       {EN: "destroyed", ZH: "已销毁"},
	"not_covered":     {EN: "does not cover this version", ZH: "未覆盖此版本"},
	"expired":         {EN: "expired", ZH: "已过期"},
	"withdrawn":       {EN: "withdrawn", ZH: "已撤销"},
	"outdated":        {EN: "support ended", ZH: "已停止支持"},
	"unknown_version": {EN: "not on the list of releases", ZH: "不在发布清单中"},
	"open":            {EN: "open", ZH: "未处理"},
	"campaign":        {EN: "open, campaign under way", ZH: "整改进行中"},
	"past_deadline":   {EN: "campaign past its deadline", ZH: "整改已逾期"},
	"overdue":         {EN: "overdue", ZH: "已逾期"},
	"failed":          {EN: "failed", ZH: "未通过"},
	"stale":           {EN: "too old", ZH: "已过时"},
	"malware":         {EN: "malware found", ZH: "发现恶意软件"},
	"definitions_old": {EN: "scanner's definitions too old", ZH: "病毒库过旧"},
	"version_differs": {EN: "reports another version than it presents", ZH: "上报版本不符"},
	"scanner_not_run": {EN: "scanner did not run", ZH: "未执行扫描"},
	"lapsed":          {EN: "training lapsed", ZH: "培训已过期"},
	"untrained":       {EN: "not trained", ZH: "未培训"},
	"left":            {EN: "works there no longer", ZH: "已离职"},
	"private":         {EN: "private", ZH: "专用网络"},
	"public":          {EN: "public", ZH: "公共网络"},
	"counter":         {EN: "counter", ZH: "柜台"},
	"mobile":          {EN: "mobile", ZH: "移动"},
	"unattended":      {EN: "unattended", ZH: "无人值守"},
	"open_public":     {EN: "open public place", ZH: "开放公共场所"},
	"not_judged_yet":  {EN: "not judged yet", ZH: "尚未判定"},
}

// restoreWords says what would make a fact restrict nothing.
func restoreWords(l *lines, f *registry.Fact) string {
	t, said := restoreWord[string(f.Name)+" "+f.State]
	if !said {
		t = restoreWord[string(f.Name)]
	}
	what := f.Restore
	switch {
	case f.Name == registry.FactAdvisory && what == fleet.RestoreInspect:
		t = explain.Text{EN: "inspect the device: whether a fixed version runs on it depends on its hardware version", ZH: "检查设备: 能否运行修复版本取决于其硬件版本"}
	case f.Name == registry.FactAdvisory && what == "":
		t = explain.Text{EN: "replace the device: no fixed version runs on it", ZH: "更换设备: 没有可在其上运行的修复版本"}
	case f.Name == registry.FactAdvisory, f.Name == registry.FactApplication && what != "":
		t = explain.Text{EN: "upgrade to version %s", ZH: "升级到 %s 版本"}
	}
	text := t.In(l.lang)
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, what)
	} else if what != "" && f.Name == registry.FactCashier {
		text += ": " + what
	}
	return text
}

var restoreWord = map[string]explain.Text{
	"registration":           {EN: "register the terminal again without the restriction (touchstone register terminal)", ZH: "重新登记终端并取消限制 (touchstone register terminal)"},
	"device":                 {EN: "two people put the device back into use, or replace it (touchstone device --help)", ZH: "由两人恢复或更换设备 (touchstone device --help)"},
	"device tampered":        {EN: "two people release the device with a new key (touchstone device release), or replace it", ZH: "由两人以新密钥解除锁定 (touchstone device release), 或更换设备"},
	"certificate":            {EN: "an assessment with a new certificate for this model", ZH: "该型号重新评估并取得新证书"},
	"certificate suspended":  {EN: "the laboratory lifts the suspension, or certifies a fixed version", ZH: "检测机构解除暂停, 或为修复版本发证"},
	"application":            {EN: "put a version of the list of releases on it", ZH: "安装发布清单中的版本"},
	"inspection":             {EN: "an inspection that finds nothing", ZH: "一次无异常的巡检"},
	"health":                 {EN: "a health report that finds nothing", ZH: "一次无异常的健康报告"},
	"cashier":                {EN: "the cashier passes the test", ZH: "收银员通过培训测试"},
	"cashier left":           {EN: "sign in under the number of somebody who works there", ZH: "以在职人员的操作员号签到"},
	"cashier unknown":        {EN: "register and train the cashier", ZH: "登记并培训收银员"},
	"network":                {EN: "put it on a network that the policy accepts", ZH: "接入策略认可的网络"},
	"site":                   {EN: "place it as the policy accepts", ZH: "按策略要求安置"},
	"registration suspended": {EN: "register the terminal again as in use", ZH: "重新登记终端为启用"},
}

// since says when, and by which entry of the journal.
func sinceWords(l *lines, at pos.Instant, entry uint64) string {
	var parts []string
	if at != 0 {
		parts = append(parts, l.two("since ", "自 ")+at.Time().In(l.zone).Format("2006-01-02 15:04:05"))
	}
	if entry != 0 {
		parts = append(parts, fmt.Sprintf(l.two("entry %d", "记录 %d"), entry))
	}
	return strings.Join(parts, ", ")
}

// permits prints an entry that gives terminals a permit.
func (l *lines) permits(e journal.Entry) error {
	var set registry.PermitSet
	if err := json.Unmarshal(e.Body, &set); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	who := fmt.Sprintf(l.two("%d terminals", "%d 台终端"), len(set.Terminals))
	if len(set.Terminals) == 1 {
		who = set.Terminals[0].String()
	}
	why := set.Standing(e.Seq, e.At).Why(maxPermitWhy)
	if why != "" {
		why = "  (" + l.whyWords(why) + ")"
	}
	_, err := fmt.Fprintf(l.w, " %s  %s  %s%s\n", e.At.Time().In(l.zone).Format("15:04:05"), pad(who, 8+2+whatColumns), l.two("may now do: ", "许可变为: ")+permitWords(l, set.Permit), why)
	return err
}

// maxPermitWhy bounds the facts told in one line.
const maxPermitWhy = 80

// whyWords says in Chinese the facts of a permit that the journal names, such as "health unknown, site open_public"; in
// English they stay as they are.
func (l *lines) whyWords(why string) string {
	if l.lang != explain.Chinese {
		return why
	}
	parts := strings.Split(why, ", ")
	for i, p := range parts {
		name, rest, _ := strings.Cut(p, " ")
		word, known := factWord[registry.FactName(name)]
		if !known {
			continue
		}
		state, detail, _ := strings.Cut(rest, " ")
		parts[i] = strings.TrimSpace(word.In(l.lang) + " " + factWords(l, &registry.Fact{State: state}) + " " + detail)
	}
	return strings.Join(parts, "、")
}
