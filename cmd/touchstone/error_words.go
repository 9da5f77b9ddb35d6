package main

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"touchstone/explain"
)

// errorChinese has sentences that people are told when something is refused, by their English form as the program
// writes it, verbs of fmt and all; the Chinese one takes them in the same order. One that is not here stays English.
var errorChinese = map[string]string{
	"staff: no such account, or not its proof":              "没有此账户, 或凭证不符",
	"staff: there is no such proposal":                      "没有此提案",
	"staff: the account's roles do not allow it":            "该账户的角色无权办理",
	"staff: the same person: a second one has to agree":     "同一个人: 须由另一人同意",
	"staff: the proposal is decided already, or expired":    "提案已有结论, 或已过期",
	"staff: who proposed it may no longer: propose it anew": "提案人已无权办理: 请重新提案",
	"staff: passphrase":                                     "口令",
	"%s needs an account: give --as NAME":                   "%s 须以账户办理: 请给出 --as NAME",
	"%s is for %s":                                          "%s 限以下角色: %s",
	"approve needs one account: give --as NAME":             "批准须以一个账户办理: 请给出 --as NAME",
	"proposal %s: its request cannot be read":               "提案 %s: 内容无法读取",
	"the first account is an administrator's":               "第一个账户须为管理员",
	"%d accounts is the most":                               "账户最多 %s 个",
	"account %s is the last administrator's":                "账户 %s 是最后一个管理员账户",
	"account %s is of the last administrator":               "账户 %s 属于最后一位管理员",
	"account %s is of another shop":                         "账户 %s 属于另一商户",
	"the person of account %s has left already":             "账户 %s 的本人已离职",
	"a request of %d bytes, the most is %d":                 "请求有 %s 字节, 最多 %s",
	"notes: at most %d bytes":                               "备注最多 %s 字节",
	"proposal %s":                                           "提案 %s",
	"account %s":                                            "账户 %s",
	"operator number: want 1 to 3 digits or letters":        "操作员号: 须为 1 至 3 位数字或字母",
	"want the cashier's name, at most %d bytes":             "须给出收银员姓名, 最多 %s 字节",
	"a name is text, without control characters":            "名称须为文字, 不含控制字符",
	"%d cashiers is the most":                               "收银员最多 %s 人",
	"no cashier %s works there":                             "该商户没有收银员 %s",
	"no such cashier works there: touchstone cashier add":   "该商户没有此收银员: touchstone cashier add",
	"cashier %s":          "收银员 %s",
	"test %s is not open": "测试 %s 未在进行",
	"test %s was to be answered within %s: begin another":     "测试 %s 须在 %s 内作答: 请重新开始",
	"test %s is of question bank %s: begin another":           "测试 %s 属于题库 %s: 请重新开始",
	"one's own course is recorded by another":                 "本人的课程须由他人登记",
	"course: want its name and provider, at most %d bytes":    "课程: 须给出名称和举办方, 最多 %s 字节",
	"topic: want %s or %s; %s is taken with touchstone train": "主题: 须为 %s 或 %s; %s 以 touchstone train 参加",
	"want 2 to 32 of a-z, 0-9, - and .":                       "须为 2 至 32 个 a-z, 0-9, - 和 . 字符",
	"want the person's name, at most 100 bytes":               "须给出本人姓名, 最多 100 字节",
	"want the number of the person, at most 60 bytes":         "须给出本人编号, 最多 60 字节",
	"want the person's organisation, at most 100 bytes":       "须给出所属机构, 最多 100 字节",
	"the checks over the wire were left: this host has no reserved terminal (lab-terminal and lab-ca in its configuration). Resume when it has, or from the command line with touchstone lab resume RUN --terminal-file FILE --ca FILE, or complete the run without them": "联机检测项未做: 本主机未配置预留终端 (配置中的 lab-terminal 与 lab-ca)。配置后可继续, 或在命令行以 touchstone lab resume RUN --terminal-file FILE --ca FILE 继续, 或按现有结果结束",
	"%s: this host examines itself alone, at its own listeners or at what lab-target names: examine others with touchstone lab run":                                                                                                                                       "%s: 本主机只检测自身, 即其监听地址或 lab-target 所列地址: 检测其他主机请用 touchstone lab run",
	"lab-terminal: %s is no reserved terminal of this register: register it with --canary, so that a probe moves no money":                                                                                                                                                "lab-terminal: %s 不是登记的预留终端: 请以 --canary 登记, 使检测不产生资金变动",
	"samples are of a test data directory: send a subject of your own":                                                                                                                                                                                                    "示例仅限测试数据目录: 请提交自己的检测对象",
	"want a role":                            "须给出角色",
	"want a passphrase or a key":             "须给出口令或密钥",
	"want an Ed25519 public key of 32 bytes": "须为 32 字节的 Ed25519 公钥",
	"want the shop of an account whose role is merchant, 15 characters": "商户角色的账户须给出商户号, 15 位",
	"want text in UTF-8": "须为 UTF-8 文本",
	"want %d characters at least: several words that nobody else would put together": "至少 %s 个字符: 请用几个旁人不会连在一起的词",
	"want %d bytes at most": "最多 %s 字节",
	"want 1 to %d bytes":    "须为 1 至 %s 字节",
	"it repeats itself":     "内容重复",
	"it is little more than the account's own name, person or organisation": "与账户名, 本人或机构名称过于接近",
	"it is little more than well-known words, runs or one thing repeated":   "只是常见词, 连续字符或重复内容",
	"it is the one in use, or one of the %d before it":                      "与现用的或此前 %s 个相同",
	"the test of account %s is taken by its own person: --as %s":            "账户 %s 的测试须由本人参加: --as %s",
	"test %s is not of %s": "测试 %s 不属于 %s",
	"a device comes back under a new seal: its number is missing":                                          "收回设备须加新封签: 缺少封签号",
	"say why, in 1 to 200 bytes of text":                                                                   "请说明原因, 1 至 200 字节",
	"what is wrong: want at most 200 bytes of text":                                                        "异常说明: 最多 200 字节",
	"device %s is not known":                                                                               "没有设备 %s",
	"device %s is not deployed":                                                                            "设备 %s 未布放",
	"device %s was never announced and received":                                                           "设备 %s 未经预告和验收",
	"device %s is announced twice":                                                                         "设备 %s 重复预告",
	"device %s is %s: it cannot be announced again":                                                        "设备 %s 状态为 %s: 不能再次预告",
	"device %s is %s: it cannot be received":                                                               "设备 %s 状态为 %s: 不能验收",
	"device %s is %s: it never comes back":                                                                 "设备 %s 状态为 %s: 不再启用",
	"device %s is %s: only a deployed one is moved":                                                        "设备 %s 状态为 %s: 只有在用设备可移机",
	"device %s is %s: only one that was received, or came back, is deployed":                               "设备 %s 状态为 %s: 只有已验收或已收回的可布放",
	"device %s is registered at terminal %s: one device, one terminal, one merchant":                       "设备 %s 已登记在终端 %s: 一机一终端一商户",
	"device %s works at terminal %s: one device, one terminal, one merchant":                               "设备 %s 在终端 %s 使用中: 一机一终端一商户",
	"device %s works at terminal %s already: one device, one terminal, one merchant":                       "设备 %s 已在终端 %s 使用: 一机一终端一商户",
	"device %s works at terminal %s: return, retire or repair it first":                                    "设备 %s 在终端 %s 使用中: 请先收回, 停用或送修",
	"device %s is registered at terminal %s: retire it first":                                              "设备 %s 已登记在终端 %s: 请先停用",
	"terminal %s is bound to merchant %s by its five elements":                                             "终端 %s 的五要素属于商户 %s",
	"device %s belongs to merchant %s: return it and deploy it anew for another":                           "设备 %s 属于商户 %s: 换商户须先收回再布放",
	"device %s reported tampering: it is deployed with a new master key, a component from each of the two": "设备 %s 曾报告拆机: 须以新主密钥布放, 两人各出一个分量",
	"a receipt names the serial number, the seal's number and the source":                                  "验收须给出序列号, 封签号和来源",
	"%d devices announced: want 1 to %d at once":                                                           "预告 %s 台设备: 一次须为 1 至 %s 台",
	"these announcements have %d bytes, one entry takes %d: announce fewer at once":                        "预告共 %s 字节, 一条记录容纳 %s: 请分次预告",
	"no terminal": "缺少终端",
	"terminal %s is not registered: touchstone permit list says which are": "终端 %s 未登记: 可用 touchstone permit list 查看",
	"terminal id %s: want 8 characters":                                    "终端号 %s: 须为 8 位",
	"ledger: not registered":                                               "未登记",
	"merchant id: want 15 characters":                                      "商户号: 须为 15 位",
	"terminal id: want 8 characters":                                       "终端号: 须为 8 位",

	"read capture: neither pcap nor pcapng": "读取抓包: 既非 pcap 也非 pcapng 格式",
	"Take one with: tcpdump -i INTERFACE -w FILE.pcap tcp port 8583; a compressed one must be unpacked first": "取得抓包: tcpdump -i INTERFACE -w FILE.pcap tcp port 8583; 压缩文件须先解压",
	"is a directory, not a capture": "是目录, 不是抓包文件",
	"is no test data directory: causes are proven with published keys only (touchstone init --test, or the demo's touchstone-data/demo); without: --data none": "不是测试数据目录: 仅以公开密钥证实根因 (touchstone init --test, 或演示的 touchstone-data/demo); 不用密钥: --data none",
	"interrupted: the report is of what was read until then":                        "已中断: 报告仅涵盖已读部分",
	"say what to read: a capture, - for standard input, or --interface NAME":        "请指明读取来源: 抓包文件, - 为标准输入, 或 --interface NAME",
	"couldn't query interface":                                                      "无法查询网络接口",
	"want eight characters":                                                         "须为 8 位",
	"not after --from":                                                              "须晚于 --from",
	"want a time such as 2026-11-27, 2026-11-27T08:30 or 2026-11-27T08:30:00+08:00": "时间写法如 2026-11-27, 2026-11-27T08:30 或 2026-11-27T08:30:00+08:00",
	"policy try: want one file of a permit policy (touchstone permit policy), one of serve's configuration, or one of each": "policy try: 须给出一个许可策略文件 (touchstone permit policy)、一个 serve 配置文件, 或各一个",
	"unknown key %s; touchstone serve --help lists them":                                                                    "未知参数 %s; 可用参数见 touchstone serve --help",

	"--terminal: want 8 characters":                                              "--terminal: 终端号须为 8 位",
	"--terminal: want eight characters":                                          "--terminal: 终端号须为 8 位",
	"--trace: want 0 to 999999":                                                  "--trace: 流水号须为 0 至 999999",
	"--rrn: want the digits of DE37, at most 12":                                 "--rrn: 须为 37 域的数字, 最多 12 位",
	"--lines: want 1 to %d":                                                      "--lines: 须为 1 至 %s",
	"--to: not after --from":                                                     "--to: 须晚于 --from",
	"--list: want 0 to %d":                                                       "--list: 须为 0 至 %s",
	"--by: %q is not one of %s":                                                  "--by: 没有 %s 这一项, 可用 %s",
	"%s must be one of %s but got %s":                                            "%s 须为以下之一: %s, 而不是 %s",
	"no message of terminal %s with trace %06d":                                  "没有终端 %s 流水号 %s 的报文",
	"no message has the retrieval reference number %012d":                        "没有检索参考号为 %s 的报文",
	"no message was refused by security here":                                    "此处没有因安全被拒绝的报文",
	"no message of this terminal in the time that was read":                      "所查时段内没有该终端的报文",
	"read journal entry %d":                                                      "读取日志第 %s 条记录",
	"journal has no such entry":                                                  "日志中没有这条记录",
	"open journal of %s":                                                         "打开 %s 的日志",
	"no such file or directory":                                                  "没有这个文件或目录",
	"%s is no data directory (no %s): name one with --data":                      "%s 不是数据目录 (无 %s): 请用 --data 指明",
	"--mac prints for a person: leave --json out":                                "--mac 供人阅读: 请去掉 --json",
	"--mac: the message names no terminal (DE41)":                                "--mac: 报文中没有终端号 (41 域)",
	"--mac: terminal %s is not registered in %s":                                 "--mac: 终端 %s 未登记于 %s",
	"--mac: terminal %s never signed in here: it has no MAC key":                 "--mac: 终端 %s 从未在此签到: 没有 MAC 密钥",
	"--mac: want a message: hexadecimal digits, a file, or - for standard input": "--mac: 须给出报文: 十六进制数字, 文件, 或 - 表示标准输入",
	"--rrn names one message by itself: leave --terminal and --trace out":        "--rrn 已指明一笔报文: 请去掉 --terminal 和 --trace",
	"last is the newest refusal of all: leave it out where --terminal and --trace, or --rrn, name a message":                                                                     "last 即最近一笔拒绝: 已用 --terminal 和 --trace 或 --rrn 指明报文时, 请去掉 last",
	"%q is in no table of answer codes; what the terminal shows, in words, can be asked for too":                                                                                 "%s 不在任何应答码表中; 也可以直接用屏幕上显示的文字来问",
	"--mac shows the key and the whole message: only where keys are published, in a test data directory; this one holds keys of its own, which do not leave the security module": "--mac 会显示密钥和完整报文: 仅限密钥已公开的测试数据目录; 此目录的密钥为自有, 不得离开安全模块",

	"--terminal and --trace name one message together: give both, or --rrn alone": "--terminal 与 --trace 一同指明一笔报文: 请都给出, 或只用 --rrn",

	"want an amount such as 18.50": "金额应形如 18.50",

	"interrupted: %s holds no whole panel and may be deleted": "已中断: %s 不含完整试卷, 可以删除",

	"%s: say that they were loaded with a higher --key-load, or make a terminal that knows nothing in another directory with --state; this one is kept in %s": "%s: 请用更大的 --key-load 表明已装入新密钥, 或用 --state 在另一目录新建终端; 此终端保存在 %s",

	"%s %s; touchstone terminal --faults lists them": "%s %s; touchstone terminal --faults 可列出",
}

// errorForm is one of errorChinese, ready to be found in a longer text.
type errorForm struct {
	english *regexp.Regexp
	chinese string
}

var fmtVerb = regexp.MustCompile(`%[.0-9]*[a-z]`)

// errorForms are the longest first, so that a sentence is taken before a word in it. They are made when something was
// refused: hundreds of expressions are too much of a start.
var errorForms = sync.OnceValue(func() []errorForm {
	all := maps.Clone(errorChinese)
	maps.Copy(all, roomErrorChinese)
	maps.Copy(all, releaseErrorChinese)
	known := slices.Collect(maps.Keys(all))
	slices.SortFunc(known, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	forms := make([]errorForm, len(known))
	for i, english := range known {
		parts := fmtVerb.Split(english, -1) // before they are quoted: a verb's precision has a full stop
		for j := range parts {
			parts[j] = regexp.QuoteMeta(parts[j])
		}
		pattern := strings.Join(parts, `(\S+?)`)
		if strings.HasSuffix(pattern, `(\S+?)`) {
			pattern = strings.TrimSuffix(pattern, `(\S+?)`) + `([^:]+)`
		}
		chinese, n := all[english], 0
		chinese = regexp.MustCompile(`%s`).ReplaceAllStringFunc(chinese, func(string) string { n++; return "${" + strconv.Itoa(n) + "}" })
		forms[i] = errorForm{regexp.MustCompile(`(?:^|\b|staff: )` + pattern), chinese}
	}
	return forms
})

// said says in the reader's language what was refused, as far as there are words.
func (l *lines) said(text string) string {
	if l.lang != explain.Chinese {
		return text
	}
	return errorInChinese(text)
}

func errorInChinese(text string) string {
	for _, f := range errorForms() {
		text = f.english.ReplaceAllString(text, f.chinese)
	}
	return strings.TrimPrefix(text, "staff: ")
}

// languageVariable is the environment variable that says what a person reads, en or zh.
const languageVariable = "TOUCHSTONE_LANG"

// wantsChinese tells whether a person reads Chinese: --lang says so, or else the environment.
func wantsChinese(a *app, args []string) bool {
	lang := languageFromEnvironment(a)
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--lang="); ok {
			lang = value
		} else if arg == "--lang" && i+1 < len(args) {
			lang = args[i+1]
		}
	}
	read, err := explain.ParseLanguage(lang)
	return err == nil && lang != "" && read == explain.Chinese
}

// withoutLanguage takes --lang and its value out; given tells that it was there and names a language of ours.
func withoutLanguage(args []string) (rest []string, given bool) {
	for i := 0; i < len(args); i++ {
		value, inOne := strings.CutPrefix(args[i], "--lang=")
		switch {
		case args[i] == "--lang" && i+1 < len(args):
			i++
			value = args[i]
		case !inOne:
			rest = append(rest, args[i])
			continue
		}
		if _, err := explain.ParseLanguage(value); err != nil {
			return args, false
		}
		given = true
	}
	return rest, given
}

// words are the words of what a command says where it has no --lang of its own.
func (a *app) words() *lines {
	l := &lines{w: a.stdout, lang: explain.English, zone: time.Local}
	if a.chinese {
		l.lang = explain.Chinese
	}
	return l
}

// languageOf gives every --lang that was not typed what the environment says, where that is a language of ours.
func languageOf(a *app) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if lang := languageFromEnvironment(a); flag.Name == "lang" && lang != "" {
			return lang, nil
		}
		return nil, nil
	})
}
