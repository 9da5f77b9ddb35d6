package console

import (
	"strings"

	"touchstone/web/api"
)

// operationChinese are the operations of the interface that are no acts, by method and path below /api/v1: what each is
// called, and what there is to say about it, in the words of the OpenAPI document, which is English.
var operationChinese = map[string][2]string{
	"GET /acts":                          {"可办理的操作一览", "每项操作的路径、角色、是否须双人，以及请求正文的定义。商户人员只看到可由其办理的。"},
	"GET /advisories":                    {"型号的安全公告"},
	"GET /advisories/{id}":               {"一条安全公告"},
	"GET /advisories/{id}/blast-radius":  {"公告涉及的终端、商户和消费"},
	"GET /advisories/{id}/document":      {"公告的 CSAF 或 OSV 文件"},
	"GET /api-keys":                      {"程序的接口密钥一览", "不含密钥本身：密钥只在建立时显示一次。"},
	"GET /campaigns":                     {"响应公告的整改"},
	"GET /campaigns/{id}":                {"一项整改：数量减少的情况和剩余的终端"},
	"GET /claims":                        {"索赔一览，最新的在前"},
	"GET /claims/{id}":                   {"一项索赔、所涉消费和裁定依据"},
	"GET /exposures":                     {"固定到事件的受影响交易"},
	"GET /exposures/{id}/sales":          {"一个固定集合中的消费，按日志顺序"},
	"GET /money":                         {"索赔、批准和赔付的金额", "数字取自日志所载的索赔和赔付。audited 为同一等式在后台由日志的每条记录计算所得，与 touchstone money 相同。"},
	"GET /clones":                        {"疑为两台设备的终端一览"},
	"GET /clones/{id}":                   {"一台终端的报文分两列显示", "未被怀疑的终端也可查询：其最近几小时及所见。给出 as_of 时，为截至当时的报文、起因和疑点。"},
	"GET /devices":                       {"查找设备，按序列号排列", "给出 as_of 时，搜索、状态及其数量均按当时。"},
	"GET /devices/{id}":                  {"一台设备：其一生、绑定和巡检"},
	"GET /devices/{id}/custody":          {"设备由谁保管，逐步列出，最新的在前"},
	"GET /devices/{id}/label":            {"设备标签的内容"},
	"GET /five-elements":                 {"五要素：序列号、收单机构、商户、统一社会信用代码、结算账户、地址；每台终端一条，可查任一日期 (银发〔2021〕259号)", "format=csv 为全部记录，首行为列名，边生成边输出。电子表格会当作公式的值前加撇号。"},
	"GET /effectiveness":                 {"每笔批准依据了哪些证明"},
	"GET /events":                        {"事件提醒一览，最新的在前"},
	"GET /failures":                      {"拒绝的统计", "最近 48 小时从内存回答。更早的时段及任何 as_of 在后台由日志统计：完成之前 state 为 counting。"},
	"POST /files":                        {"上传供操作使用的文件", "请求正文即文件本身，保留一小时；只有上传者的操作可以引用。发布版本者的文件至多 265 MiB，其他人 64 MiB。密钥分量等机密只能用主机的传输密钥加密后上传。"},
	"GET /grades":                        {"终端的证明等级", "七个方面；终端的等级取最弱的一项。数字与 touchstone grade 相同。"},
	"GET /grades/plan":                   {"以最少工作最能提高等级的步骤"},
	"GET /incident-terms":                {"事件的类别和级别"},
	"GET /incidents":                     {"事件一览"},
	"GET /incidents/{id}":                {"一个事件：范围、时限、起因、时间线和关联项"},
	"GET /inspections":                   {"到期的巡检，以及所见"},
	"GET /inspections/checklist":         {"巡检员须回答的检查项"},
	"GET /inspections/{id}":              {"一次巡检"},
	"GET /journal":                       {"日志，最新的在前", "筛选在有限数量的记录中查找：looked_from 和 looked_to 指明范围；用游标继续往前。"},
	"GET /journal-verification":          {"哈希链校验的进度"},
	"GET /journal-witnesses":             {"各见证所持的内容"},
	"GET /journal/{n}":                   {"一条完整的记录"},
	"GET /journal/{n}/proof":             {"任何人可据以核对该记录的证明", "h 以 previous 为初值。对每一环：h = SHA-256(\"touchstone/1\" || h || 长度 || 记录)，长度为 4 字节大端。最后一环之后 h 即 head。不予公开的环含有已加密的密钥、口令校验值或个人信息：h 由其散列值继续，只有持有日志者可以核对。"},
	"GET /keys":                          {"密钥记录，不含密钥本身"},
	"GET /keys/figures":                  {"各使用时长和算法的密钥数量"},
	"GET /keys/{id}":                     {"一个密钥：来源，以及随之失效的"},
	"GET /certificates":                  {"安全认证证书，最新的在前"},
	"GET /certificates/{id}":             {"一张安全认证证书及其签名信封"},
	"GET /findings":                      {"问题项，最新的在前"},
	"GET /findings/{id}":                 {"一个问题项及其经过"},
	"GET /runs":                          {"实验室的检测，最新的在前"},
	"GET /runs/{id}":                     {"一次检测及其结果"},
	"GET /live":                          {"当前动态，服务器推送事件", "首个事件名为 begin，含最近十分钟；此后每秒一个 beat，含最新数据。两者的数据均为 Now，语言由 ?lang=en 或 zh 决定。重新连接的客户端从头开始。"},
	"GET /merchants":                     {"商户一览", "给出 as_of 时，列出当时已登记的商户，按当时的名称查找。"},
	"GET /merchants/{id}":                {"一家商户"},
	"GET /notices":                       {"通知及各自的进展，最新的在前"},
	"GET /notices/{id}":                  {"一份通知：内容、发送尝试及其证明"},
	"GET /permits":                       {"终端可做什么及原因", "数量；给出 permit 或 fact 时也列出终端。数字与 touchstone permit list 相同。"},
	"GET /permits/{id}":                  {"该终端可否消费、为什么、怎样恢复"},
	"GET /policy":                        {"许可策略、其各版本及差异"},
	"GET /proposals":                     {"待第二人同意的提案，最新的在前"},
	"GET /proposals/{id}":                {"一份提案：所提出的确切内容"},
	"GET /releases":                      {"各型号的应用版本"},
	"GET /releases/{id}":                 {"一个版本"},
	"GET /reports":                       {"消费者和商户的报告，最新的在前"},
	"GET /reports/{id}":                  {"一份报告"},
	"GET /access-review":                 {"账户复核所看的内容"},
	"GET /staff":                         {"账户一览"},
	"GET /staff/{name}":                  {"一个账户"},
	"GET /status":                        {"主机现在在做什么", "给出 as_of 时，回答日志对该时刻的记载：登记情况、此前一小时、最新一条记录，以及待人处理的未能证明项和停止的消费。速率、应答时间、连接、内存和磁盘由进程测得，未曾记录：在 not_kept 中列出。当时的拒绝统计见 /failures。"},
	"GET /stream":                        {"所发生的事，服务器推送事件", "提醒、拒绝和操作在持久记录后推送 (topic 为 entry)，以及当前汇总 (topic 为 live)。带 Last-Event-ID (记录编号) 再次连接的客户端会收到错过的内容。不读取的客户端会被断开。"},
	"GET /terminals":                     {"查找终端，按终端号排列", "给出 as_of 时，搜索、筛选和数量均按当时。过去时刻不给出各终端的等级和最新报文；按等级筛选会被拒绝：请用 /grades 的 as_of。"},
	"GET /terminals/map":                 {"终端的登记位置，按簇汇总"},
	"GET /terminals/{id}":                {"一台终端：可做什么及原因、设备、密钥、人员"},
	"GET /terminals/{id}/repair":         {"怎样修复一台终端，逐步列出，以及是否已恢复消费"},
	"GET /terminals/{id}/timeline":       {"一台终端的经过"},
	"GET /cashiers":                      {"一家商户的收银员"},
	"GET /training":                      {"谁已培训、将到期、已过期或未培训"},
	"GET /training/{id}":                 {"一次测试，作答期间含题目"},
	"GET /transactions":                  {"交易一览，最新的在前", "在很长的日志中查找少见的内容时分段回答：有 next_cursor 时请继续。"},
	"GET /transactions/{id}":             {"一笔交易及其完整判定和起因"},
	"GET /terminal-password-policies":    {"现行的终端密码规则"},
	"GET /cards/old-pins":                {"密码久未更改的卡片，最久的在前"},
	"GET /device-certificates/authority": {"设备证书的签发机构"},
	"GET /incident-rules":                {"现行的事件建立规则和有时限的义务"},
	"GET /laboratory/plan":               {"实验室在此检测什么，依据哪些授权范围"},
	"GET /laboratory/operations":         {"本主机自身的记录与运营和人员要求的对照，以最近一次核对为准"},
	"GET /laboratory/keys":               {"实验室人员的公钥，据以验证其证书"},
	"GET /webhooks":                      {"回调一览", "不含密钥：密钥只在建立时显示一次。通知按 docs/operating/webhooks.md 签名：Touchstone-Signature: t=SECONDS,v1=对 t、一个句点和正文的 HMAC-SHA-256。"},
	"GET /webhooks/{id}/deliveries":      {"某个回调收到的通知", "最新的在前；保留最近 1000 条，各为其最近一次尝试的结果。给出 as_of 时，列出此后未再尝试的；早于所保留的最旧一条的时刻会被拒绝。其余见日志：重发即可再次通知。"},
}

// docsOperation is an operation as a page of one language shows it.
type docsOperation struct {
	api.Reference
	Called, About string // what it is called, and what there is to say
	Told          bool   // both are in the page's language
}

// operationIn is an operation in a page's language. What has no Chinese is shown in English, and said to be.
func operationIn(lang string, x api.Reference) docsOperation {
	if lang != "zh" {
		return docsOperation{x, x.Summary, x.Text, true}
	}
	if x.SummaryZH != "" {
		return docsOperation{x, x.SummaryZH, x.TextZH, true}
	}
	words, ok := operationChinese[x.Method+" "+strings.TrimPrefix(x.Path, api.Root)]
	if !ok {
		return docsOperation{x, x.Summary, x.Text, false}
	}
	return docsOperation{x, words[0], words[1], true}
}

// tagChinese are the resources by which the operations are grouped.
var tagChinese = map[string]string{
	"acts": "操作", "advisories": "安全公告", "api-keys": "接口密钥", "campaigns": "整改", "cards": "卡片", "claims": "索赔", "clones": "克隆", "devices": "设备", "effectiveness": "认证有效性",
	"events": "事件提醒", "failures": "失败", "files": "文件", "grades": "等级", "incidents": "事件", "inspections": "巡检", "journal": "日志", "keys": "密钥", "laboratory": "实验室",
	"live": "实时动态", "merchants": "商户", "notices": "通知", "permits": "许可", "policy": "策略", "proposals": "提案", "releases": "版本", "reports": "报告", "staff": "人员", "status": "状态",
	"stream": "事件流", "terminals": "终端", "training": "培训", "transactions": "交易", "webhooks": "回调",
}
