package main

import (
	"encoding/json"
	"reflect"
	"slices"
	"sync"

	"touchstone/lab"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// actRow is what the table below says of one act beyond its type and its duty.
type actRow struct {
	path     string // below /api/v1
	group    string
	en, zh   string
	help     string
	helpZH   string
	large    bool   // it takes releases, which are long
	shop     bool   // a merchant's people may, of their own shop, although the duty names no role
	example  string // "" none: what it needs is made by other acts or on the machine
	variants []change
}

// Groups of acts, in the order in which they are shown.
const (
	groupRegister = "register"
	groupDevices  = "devices"
	groupUpdates  = "updates"
	groupMoney    = "authentication"
	groupIncident = "incidents"
	groupRedress  = "claims"
	groupLab      = "laboratory"
	groupPeople   = "people"
	groupPrograms = "programs"
)

// actRows has a row for each act, by its JSON name in change.
var actRows = map[string]actRow{
	"merchant": {path: "/merchants", group: groupRegister, en: "Register a merchant", zh: "登记商户", help: "Enters a merchant or changes one.", helpZH: "新登记或修改商户。",
		example: `{"id":"898310058129999","name":"Sample Book Shop 示例书店","networks":["any"]}`},
	"device": {path: "/devices", group: groupRegister, en: "Register a device", zh: "登记设备", help: "Enters a device or changes one. The key of its serial number comes in sealed components, by two custodians.", helpZH: "新登记或修改设备。序列号密钥以加密分量装载，须两名密钥保管人员。",
		variants: []change{{Device: &deviceChange{Serial: "x"}}, {Device: &deviceChange{Serial: "x", Components: []string{"x"}}, caller: &web.Caller{}}},
		example:  `{"serial":"00000304TS0000009999","licence":"P3100","device_type":"04","apps":["1.0.0"],"model":"Sample V1"}`},
	"terminal": {path: "/terminals", group: groupRegister, en: "Register a terminal", zh: "登记终端", help: "Enters a terminal or changes one, which keeps its master key. A new one's master key comes in sealed components, by two custodians.",
		helpZH:   "新登记或修改终端；修改时主密钥保持不变。新终端的主密钥以加密分量装载，须两名密钥保管人员。",
		variants: []change{{Terminal: &terminalChange{ID: "00000000", Merchant: "000000000000000", SignInCode: "003"}}, {Terminal: &terminalChange{ID: "00000000", Merchant: "000000000000000", SignInCode: "003", Components: []string{"x"}}, caller: &web.Caller{}}}},
	"card": {path: "/cards", group: groupRegister, en: "Register a card", zh: "登记卡片", help: "Cards of the embedded issuer. Number and PIN are sent sealed to the transport key.",
		helpZH: "内置发卡方的卡片。卡号与密码须加密至传输密钥后上传。"},
	"release": {path: "/device-releases", group: groupDevices, en: "Release a device after tampering", zh: "解除拆机锁定", help: "Two people who looked at it let a tampered device work again.", helpZH: "两名人员查验后，允许被拆机的设备恢复使用。",
		example: `{"serial":"00000304TS0000000011","terminal":"00000011","people":["qian","sun"]}`},
	"certificate": {path: "/device-certificates", group: groupDevices, en: "Issue or revoke a device certificate", zh: "签发或吊销设备证书", help: "The certificate by which a device proves itself in TLS.", helpZH: "设备在 TLS 中证明身份的证书。"},
	"crl":         {path: "/revocation-lists"},
	"finding":     {path: "/canary-findings"},
	"resume":      {path: "/sales-resumptions", group: groupMoney, en: "Resume stopped sales", zh: "恢复已停止的消费", help: "Lets sales go on that a policy stopped because a proof was ineffective.", helpZH: "恢复因证明失效而被策略停止的消费。"},
	"account": {path: "/staff", group: groupPeople, en: "Make or change an account", zh: "建立或修改账户", help: "An account is one person's. What is not given stays as it was.", helpZH: "一个账户属于一个人；未给出的内容保持不变。",
		example: `{"account":{"name":"ma","full_name":"马敏 Ma Min","person":"E-1099","organisation":"Sample Acquirer","roles":["support"],"key":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}`},
	"approve":       {path: "/approvals", group: groupPeople, en: "Approve or reject a proposal", zh: "批准或否决提案", help: "A second person's word on what one person asked for.", helpZH: "对他人提议的第二人意见。"},
	"permit_policy": {path: "/permit-policies", group: groupMoney, en: "Set the permit policy", zh: "设定许可策略", help: "Which facts restrict what a terminal may do.", helpZH: "哪些事实限制终端可做的交易。"},
	"repository":    {path: "/release-repository", group: groupUpdates, en: "Keep the release repository", zh: "维护发布仓库", help: "Makes the repository, or signs its short-lived metadata anew.", helpZH: "建立仓库，或重新签署其短期元数据。"},
	"publish":       {path: "/releases", large: true, group: groupUpdates, en: "Publish a release", zh: "发布版本", help: "An application for terminals; two people agree, and their keys in the data directory sign. What was signed with keys that are kept elsewhere: publish a signed package.", helpZH: "终端应用版本；须两人同意，以数据目录中各自的密钥签署。密钥另存者，请改为发布已签署的发布包。"},
	"release_package": {path: "/release-packages", large: true, group: groupUpdates, en: "Publish a signed package", zh: "发布已签署的发布包", help: "Releases that two people signed on machines of their own, touchstone release sign. It is verified before anybody is asked to agree, and again before it is published.",
		helpZH: "由两人在各自机器上以 touchstone release sign 签署的版本。提请同意之前验证一次，发布之前再验证一次。"},
	"release_state": {path: "/release-states", group: groupUpdates, en: "Withdraw a release or end its support", zh: "撤回版本或终止支持", help: "Two people agree, and their keys in the data directory sign.", helpZH: "须两人同意，以数据目录中各自的密钥签署。"},
	"advisory":      {path: "/advisories", group: groupUpdates, en: "Take in or close an advisory", zh: "收录或关闭安全公告", help: "A weakness of models, in CSAF or OSV.", helpZH: "型号的弱点，CSAF 或 OSV 格式。"},
	"model_picture": {path: "/model-pictures", group: groupDevices, en: "Set the picture of a model", zh: "设置型号图片", help: "The check page shows it, so that people see whether the device before them is that model.", helpZH: "核验页显示该图片，便于顾客核对眼前的设备是否为该型号。"},
	"campaign": {path: "/campaigns", group: groupUpdates, en: "Start or end a campaign", zh: "开始或结束整改", help: "Answers an advisory by a deadline.", helpZH: "在期限内响应安全公告。",
		variants: []change{{Campaign: &campaignChange{}}, {Campaign: &campaignChange{Close: "CMP-1"}}}},
	"care": {path: "/device-steps", group: groupDevices, en: "A step of a device's life", zh: "设备生命周期", help: "Announce, receive, deploy, move, repair, return, report lost or stolen, retire or destroy. One person reports it lost; two do the rest.", helpZH: "预告、验收、布放、移机、送修、收回、挂失、停用或销毁。挂失一人即可，其余须两人。",
		variants: []change{{Care: &careChange{}}, {Care: &careChange{Leave: &leaveChange{Step: "lose"}}}},
		example:  `{"receive":{"serial":"00000304TS0000008888","seal":"SEAL-8888","source":"Sample Maker","seal_good":true}}`},
	"inspect": {path: "/inspections", group: groupDevices, en: "Record an inspection", zh: "记录巡检", help: "What an inspector saw, by the checklist; a finding quarantines at once.", helpZH: "按清单记录所见；发现异常立即隔离。"},
	"glance": {path: "/glances", group: groupDevices, en: "Record a cashier's look", zh: "记录收银员每日查看", help: "All well, or what is wrong.", helpZH: "一切正常，或有何异常。",
		example: `{"terminal":"00000011","operator":"001"}`},
	"cashier": {path: "/cashiers", group: groupPeople, en: "Register a cashier", zh: "登记收银员", help: "Gives an operator number of a shop to a person, or ends it.", helpZH: "分配或终止商户操作员号。",
		example: `{"merchant":"898310058120001","operator":"77","name":"陈静 Chen Jing"}`},
	"training": {path: "/training", group: groupPeople, en: "A step of training", zh: "培训步骤", help: "Begin a test, hand it in, record a course outside, confirm the rule of the counter.", helpZH: "开始测试、交卷、登记外部课程、确认柜台守则。", shop: true,
		example:  `{"do":"confirm","merchant":"898310058120001"}`,
		variants: []change{{Training: &trainingChange{Do: trainRecord}}, {Training: &trainingChange{Do: trainConfirm}}, {Training: &trainingChange{Do: trainBegin}}, {Training: &trainingChange{Account: "x"}}}},
	"personnel": {path: "/staff-changes", group: groupPeople, en: "A person left, a review, an unlock", zh: "人员离职、复核、解锁", help: "What an administrator does about accounts besides changing one.", helpZH: "管理员对账户的其他操作。",
		example: `{"review":true,"notes":"looked at every account"}`},
	"passphrase": {path: "/passphrases", group: groupPeople, en: "Change your own passphrase", zh: "更换本人口令", help: "On the page /me, or on the machine.", helpZH: "请在 /me 页面或本机办理。", shop: true},
	"second_factor": {path: "/second-factor-resets", group: groupPeople, en: "Reset a second factor", zh: "重置第二因素", help: "Its person has lost it, and enrols another at the next sign-in; two administrators.", helpZH: "本人遗失后重置，下次登录重新绑定；须两名管理员。",
		example: `{"reset":"qian"}`},
	"passwords": {path: "/terminal-password-policies", group: groupMoney, en: "Set the rule of terminals' passwords", zh: "设定终端密码规则", help: "Which passwords terminals take from their users.", helpZH: "终端对其使用者密码的要求。",
		example: `{"policy":{"version":"","required":true,"operator_min":6,"administrator_min":8,"max_age_days":90,"tries":5,"wait_seconds":60,"former":5}}`},
	"clone_clear": {path: "/clone-clearances", group: groupMoney, en: "Clear a suspicion of two devices", zh: "解除克隆嫌疑", help: "Somebody looked and found one device, or has ended the other.", helpZH: "现场查看后确认只有一台，或已清除另一台。",
		example: `{"terminal":"00000011","note":"one device, seal intact"}`},
	"incident": {path: "/incident-steps", group: groupIncident, en: "A step of an incident", zh: "事件步骤", help: "Open, assign, note, grade, scope, find the cause, act, link, answer a clock, close, and the rules.", helpZH: "立案、指派、备注、定级、范围、原因、措施、关联、答复时限、结案与规则。",
		example:  `{"op":"open","title":{"en":"A loose bezel","zh":"读卡器松动"},"kind":"attached_device","severity":"general","text":"seen by the cashier","scope":{"terminals":["00000011"]}}`,
		variants: []change{{Incident: &incidentChange{Op: incidentOpen}}, {Incident: &incidentChange{Op: incidentClose}}}},
	"report": {path: "/reports", group: groupIncident, en: "Write down a report", zh: "登记报告", help: "What a consumer or a merchant says happened.", helpZH: "消费者或商户反映的情况。", shop: true,
		example: `{"kind":"skimmer","terminal":"00000011","text":"a loose bezel on the card slot"}`},
	"exposure": {path: "/exposures", group: groupRedress, en: "Freeze the exposed sales", zh: "固定受影响交易", help: "Writes the sales of a scope into its incident.", helpZH: "将范围内的交易固定到事件。"},
	"claim":    {path: "/claims", group: groupRedress, en: "Take down a claim", zh: "登记索赔", help: "A consumer's claim as read off a receipt.", helpZH: "按小票登记消费者索赔。", shop: true},
	"decision": {path: "/claim-decisions", group: groupRedress, en: "Decide a claim", zh: "裁定索赔", help: "Approve or refuse; two people.", helpZH: "批准或拒绝；须两人。",
		example: `{"claim":"CLM-1-AAAAAAAAAAAA","decision":{"approve":true,"refund":8800,"payer":"acquirer","why":"the sale is in the exposed set"}}`},
	"notice_draft": {path: "/notices", group: groupRedress, en: "Draft the notices of an incident", zh: "起草事件通知", help: "To issuers, shops, cardholders and authorities.", helpZH: "发给发卡方、商户、持卡人与主管部门。"},
	"notice_send":  {path: "/notice-sendings", group: groupRedress, en: "Send the notices of an incident", zh: "发送事件通知", help: "Sends the set that was looked at; two people.", helpZH: "发送已核对的通知；须两人。"},
	"notice_retry": {path: "/notice-retries", group: groupRedress, en: "Send notices again", zh: "重发通知", help: "Those that failed, were given up or are in doubt.", helpZH: "失败、放弃或存疑的通知。"},
	"lab": {path: "/laboratory-steps", group: groupLab, en: "A step of the laboratory", zh: "检测步骤", help: "Scopes, runs, observations, findings and security certificates.", helpZH: "范围、检测、结果、问题项与安全证书。",
		variants: []change{{Lab: &labChange{Scope: &lab.Scope{}}}, {Lab: &labChange{Stop: "SCP-1"}}, {Lab: &labChange{Start: &lab.Run{}}}, {Lab: &labChange{Examine: &labExamine{}}}, {Lab: &labChange{Observe: &labObserve{}}}, {Lab: &labChange{Mark: &labMark{}}},
			{Lab: &labChange{Finish: "RUN-1"}}, {Lab: &labChange{Finding: &lab.FindingStep{}}}, {Lab: &labChange{Finding: &lab.FindingStep{To: lab.Accepted}}}, {Lab: &labChange{Issue: "RUN-1"}}, {Lab: &labChange{Certificate: &lab.CertificateStep{}}}}},
	"api_key": {path: "/api-keys", group: groupPrograms, en: "Make an API key", zh: "建立接口密钥", help: "The key is shown once.", helpZH: "密钥只显示一次。",
		example: `{"name":"settlement export","account":"qian","roles":["security"],"days":30}`},
	"webhook": {path: "/webhooks", group: groupPrograms, en: "Add a webhook", zh: "添加回调", help: "An endpoint of yours is told of what happens, signed. The secret is shown once.", helpZH: "将所发生的事件签名后通知您的接口。密钥只显示一次。",
		example: `{"name":"incident desk","url":"https://hooks.example.com/touchstone","types":["incident.opened","clone.suspected"]}`},
	"webhook_set":    {path: "/webhook-states", group: groupPrograms, en: "Disable or enable a webhook", zh: "停用或恢复回调", help: "Enabled again, it goes on where it was left.", helpZH: "恢复后从停用处继续。"},
	"webhook_rotate": {path: "/webhook-rotations", group: groupPrograms, en: "Change a webhook's secret", zh: "更换回调密钥", help: "The new secret is shown once. The former may sign too for some hours.", helpZH: "新密钥只显示一次；旧密钥可同时签名若干小时。"},
	"webhook_replay": {path: "/webhook-replays", group: groupPrograms, en: "Send webhook messages again", zh: "重发回调消息", help: "One message, or a range of the journal's entries, with the ids that they had.", helpZH: "单条消息或一段日志记录，编号不变。"},
	"transport_key": {path: "/transport-keys", group: groupRegister, en: "Make a transport key", zh: "建立传输密钥", help: "To which components, card numbers and PINs are sealed before they are sent. What was sealed to the one before opens no more.", helpZH: "密钥分量、卡号与密码须先加密至此密钥再上传。先前密钥加密的内容不再能打开。",
		example: `{"note":"the first"}`},
	"api_key_revoke": {path: "/api-key-revocations", group: groupPrograms, en: "Revoke an API key", zh: "吊销接口密钥", help: "It opens nothing from then on.", helpZH: "立即失效。"},
}

// catalogue is every act as the interface describes it, in the order of the fields of change.
var catalogue = sync.OnceValue(func() []api.Act {
	names := make([]string, 0, len(acts))
	for name := range acts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return acts[a] - acts[b] })
	list := make([]api.Act, 0, len(names))
	for _, name := range names {
		list = append(list, described(name))
	}
	return list
})

// described is one act; who may do it follows from the duties of what it may ask.
func described(name string) api.Act {
	row, i := actRows[name], acts[name]
	a := api.Act{Name: name, Path: row.path, Type: reflect.TypeFor[change]().Field(i).Type.Elem(), Group: row.group, EN: row.en, ZH: row.zh, Help: row.help, HelpZH: row.helpZH, Large: row.large, Two: api.NeverTwo}
	if row.example != "" {
		a.Example = json.RawMessage(row.example)
	}
	if name == "approve" { // the roles of each proposal are its act's
		a.Rule = web.Rule{Any: true}
		return a
	}
	variants := row.variants
	if variants == nil {
		var c change
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.New(a.Type))
		variants = []change{c}
	}
	anybody, twos := false, 0
	for _, c := range variants {
		d, _ := c.duty()
		a.Own = a.Own || d.own
		anybody = anybody || len(d.roles) == 0
		if d.two {
			twos++
		}
		for _, r := range d.roles {
			if !slices.Contains(a.Roles, r) {
				a.Roles = append(a.Roles, r)
			}
		}
	}
	if twos == len(variants) {
		a.Two = api.AlwaysTwo
	} else if twos > 0 {
		a.Two = api.SometimesTwo
	}
	switch {
	case a.Own:
	case anybody:
		a.Roles, a.Rule = nil, web.Rule{Any: true, Shop: row.shop}
	default:
		a.Rule = web.Rule{Roles: a.Roles, Shop: slices.Contains(a.Roles, staff.Merchant)}
	}
	return a
}
