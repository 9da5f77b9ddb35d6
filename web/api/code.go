package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Code is what one code of an error means, and what to do.
type Code struct {
	Code       string
	Status     int
	EN, ZH     string // what it means
	DoEN, DoZH string // what to do
}

// Codes are all codes, in the order in which a page shows them.
func Codes() []Code { return codes }

// codes is the one table: what is not here may not be answered. TestCodes finds what is missing.
var codes = []Code{
	{"invalid_request", 400, "The request is not what the document says.", "请求与接口文档不符。", "Compare it with /docs.", "请对照 /docs 检查请求。"},
	{"invalid_parameter", 400, "A parameter of the query, the path or a header has no such value.", "查询、路径或头部参数的取值无效。", "The member param names it.", "param 指出是哪个参数。"},
	{"unknown_parameter", 400, "There is no such parameter in the query.", "查询中有未知参数。", "Leave it out: a misspelt filter would otherwise show everything.", "请去掉：拼错的筛选条件会被误当作没有筛选。"},
	{"media_type", 415, "The body has another media type than is taken, or is compressed.", "请求正文的媒体类型不被接受，或已压缩。", "Send Content-Type: application/json, of an upload one of its types, without Content-Encoding.", "请使用 Content-Type: application/json（上传文件用所列类型），不要使用 Content-Encoding。"},
	{"not_acceptable", 406, "The request accepts no JSON.", "请求不接受 JSON。", "Send Accept: application/json, or none.", "请发送 Accept: application/json 或不发送。"},
	{"body_missing", 400, "The body is empty or did not come whole.", "请求正文为空或不完整。", "Send the whole body.", "请发送完整正文。"},
	{"too_large", 413, "The body is longer than is taken, or has too many members.", "请求正文过长或成员过多。", "Send less at once.", "请减少单次发送的内容。"},
	{"too_deep", 400, "More than 32 arrays and objects within each other.", "嵌套超过 32 层。", "Send it flatter.", "请减少嵌套。"},
	{"not_json", 400, "The body is not JSON by RFC 8259.", "请求正文不是 RFC 8259 规定的 JSON。", "NaN, comments and trailing commas are none of it.", "NaN、注释和结尾逗号都不属于 JSON。"},
	{"invalid_utf8", 400, "The body is not UTF-8, or has half of a surrogate pair.", "请求正文不是 UTF-8，或含有不成对的代理项。", "Encode texts as UTF-8.", "请以 UTF-8 编码文本。"},
	{"duplicate_member", 400, "A member is there twice in one object.", "同一对象中有重复的成员。", "Two readers could take it for two things: send it once.", "不同的解析器会得出不同结果：每个成员只发送一次。"},
	{"trailing_data", 400, "Something follows the JSON value.", "JSON 值之后还有其他内容。", "Send one value.", "请只发送一个值。"},
	{"unknown_member", 400, "A member that the schema does not have; names are case-sensitive.", "成员名未知；名称区分大小写。", "The member param names it.", "param 指出是哪个成员。"},
	{"missing_member", 400, "A member that must be there is not.", "缺少必需的成员。", "The member param names it.", "param 指出是哪个成员。"},
	{"invalid_value", 400, "A member has a value that the schema does not allow.", "成员的取值不符合定义。", "The member param names it, the message says what is wanted.", "param 指出是哪个成员，message 说明要求。"},
	{"invalid_body", 400, "The body does not read as the act's type.", "请求正文无法按该操作的类型解析。", "Compare it with the act's schema.", "请对照该操作的定义检查。"},
	{"two_credentials", 400, "A key and a session's cookie came at once, or two keys.", "同时提供了密钥与会话，或两个密钥。", "Give one: it has to be clear who asks.", "请只提供一个，以便确定请求者。"},
	{"not_signed_in", 401, "Nobody is signed in.", "尚未登录。", "Give an API key: Authorization: Bearer tsk_…, or sign in.", "请提供接口密钥 Authorization: Bearer tsk_… 或登录。"},
	{"key_not_accepted", 401, "The API key is unknown, too old or revoked, or its account may not act or lost one of the key's roles.", "接口密钥未知、过期、已吊销，或其账户已停用或失去相应角色。", "Ask an administrator for a new one.", "请向管理员申请新密钥。"},
	{"role_not_allowed", 403, "The caller's roles do not allow this.", "调用者的角色不允许此操作。", "GET /api/v1/acts says which roles do.", "GET /api/v1/acts 列出所需角色。"},
	{"act_not_allowed", 403, "The account may not do this act, or is the same person who proposed it.", "该账户不可执行此操作，或与提议者为同一人。", "Ask somebody with the role; a proposal needs another person.", "请由具备角色的人员办理；提案须由另一人批准。"},
	{"person_required", 403, "A person does this, not a program.", "此操作须由本人办理，程序不可代办。", "Sign in to the console.", "请登录控制台办理。"},
	{"only_on_the_machine", 403, "A secret, or a file of the machine, is named: passphrases and private keys are never sent.", "涉及机密或本机文件：口令与私钥不通过接口传送。", "Use the command on the machine that the host runs on.", "请在主机所在机器上使用命令行。"},
	{"not_sealed", 400, "A key component, card number or PIN was sent in the clear, or is no file of age. It was forgotten.", "密钥分量、卡号或密码未经加密上传，或不是 age 文件。该文件已删除。", "Seal it to the transport key that the page Keys shows: touchstone seal.", "请加密至“密钥”页所示的传输密钥：touchstone seal。"},
	{"form_token_missing", 403, "A request of a browser did not repeat its session's token.", "浏览器请求没有重复其会话令牌。", "Load the page again; a script sends X-CSRF-Token.", "请重新载入页面；脚本须发送 X-CSRF-Token。"},
	{"cross_site", 403, "The request came from another site's page.", "请求来自其他网站的页面。", "Call the interface from a program, not from another site.", "请由程序调用，不要从其他网站的页面调用。"},
	{"not_found", 404, "There is no such thing, or the caller may not see it: the answer is the same.", "不存在，或调用者无权查看：两者答复相同。", "Check the identifier.", "请检查标识。"},
	{"method_not_allowed", 405, "The path has no such method.", "该路径不支持此方法。", "Compare it with /docs.", "请对照 /docs。"},
	{"unknown_host", 421, "The host is not reached under this name.", "主机名不被接受。", "Use a name that the operator configured.", "请使用已配置的主机名。"},
	{"file_not_found", 400, "There is no such upload of this caller, or it is older than an hour.", "没有该调用者的此上传文件，或已超过一小时。", "Send it again: POST /api/v1/files.", "请重新上传：POST /api/v1/files。"},
	{"act_refused", 422, "The act's own rule refuses it; the message says why. Nothing was done.", "该操作的规则予以拒绝，原因见 message；未做任何更改。", "Mend what the message names.", "请按 message 修正。"},
	{"proposal_closed", 409, "The proposal is decided already, or expired.", "提案已决定或已过期。", "Propose it anew.", "请重新提议。"},
	{"idempotency_key_missing", 400, "A program gave a write no Idempotency-Key.", "程序的写请求缺少 Idempotency-Key。", "Draw a new random text for each thing to be done, and repeat it when you ask again.", "请为每件事生成新的随机文本，重试时使用同一文本。"},
	{"idempotency_key_invalid", 400, "The Idempotency-Key is not 1 to 255 printable ASCII characters, or came twice.", "Idempotency-Key 须为 1 至 255 个可打印 ASCII 字符，且只出现一次。", "A UUID will do.", "可使用 UUID。"},
	{"idempotency_key_in_use", 409, "The first request under this key is still being carried out.", "同一键的首个请求仍在处理。", "Ask again in a moment, with the same key.", "请稍后用同一键重试。"},
	{"idempotency_key_reused", 409, "This key was given with another request within 24 hours.", "此键在 24 小时内已用于另一请求。", "A new thing to do takes a new key.", "新的操作请使用新键。"},
	{"outcome_unknown", 409, "The host stopped or failed while it carried the first request out.", "主机在处理首个请求时停止或出错，结果未知。", "Read whether it was done (the resource, or /journal). If not, ask again under a new key.", "请查看是否已生效（资源或 /journal）；若没有，请换新键重试。"},
	{"too_old", 409, "The stream cannot be resumed from so far back.", "事件流无法从这么早的位置恢复。", "Read /api/v1/journal up to now, then follow anew.", "请先通过 /api/v1/journal 读取，再重新订阅。"},
	{"too_many_requests", 429, "The caller asks faster than it may.", "请求过于频繁。", "Wait as long as Retry-After says.", "请按 Retry-After 等待。"},
	{"too_many_files", 429, "As much was sent as is kept.", "上传文件已达上限。", "Files are forgotten after an hour.", "文件保留一小时，请稍后再试。"},
	{"too_many_readers", 429, "As many follow the stream as may at once.", "事件流的订阅数已达上限。", "End one, or come back later.", "请结束其他订阅或稍后再试。"},
	{"as_of_invalid", 400, "as_of is neither a day nor an instant.", "as_of 既不是日期也不是时刻。", "Write 2026-11-01, or 2026-11-01T10:00:00+08:00.", "请写 2026-11-01 或 2026-11-01T10:00:00+08:00。"},
	{"as_of_before_journal", 400, "The moment is before the first entry of this journal.", "该时刻早于本日志的第一条记录。", "Ask for a later one: nothing is known of that time.", "请选择更晚的时刻：当时的情况无从得知。"},
	{"as_of_not_kept", 400, "The state of that moment is not kept for this read.", "此项读取不保留该时刻的状态。", "Ask for one that is within what the message names.", "请在 message 所述范围内选择。"},
	{"as_of_unavailable", 503, "This host keeps no projection of its journal, so the past is not at hand.", "此主机不保留日志投影，无法查询过去。", "Ask without as_of, or a host with its projection.", "请不带 as_of 查询，或使用带投影的主机。"},
	{"invalid_cursor", 400, "The cursor is none that this list gave.", "游标不是此列表给出的。", "Begin without a cursor.", "请从头开始，不带游标。"},
	{"proof_too_long", 400, "The proof would have more steps than one answer holds.", "证明步骤超过单次答复的上限。", "Ask for a proof from a later head, as the message says.", "请按 message 选择更近的链头。"},
	{"verification_runs", 409, "A proof of the whole chain is running already.", "链的完整校验正在进行。", "Its result is at /api/v1/journal-verification.", "结果见 /api/v1/journal-verification。"},
	{"no_index", 503, "This host keeps no index of messages.", "此主机不保留报文索引。", "Start it with its projection, or search the journal.", "请启用投影，或直接检索日志。"},
	{"index_building", 503, "The index is being built after a start.", "索引正在启动后重建。", "Try again in a moment.", "请稍后重试。"},
	{"being_counted", 503, "Every terminal is being looked at after a start.", "启动后正在统计全部终端。", "Ask again in some seconds.", "请数秒后重试。"},
	{"no_check_page", 409, "This host serves no check page, so a label has no address.", "此主机未提供查验页面，标签没有地址。", "Start it with public and public-url.", "请配置 public 与 public-url。"},
	{"photograph_unreadable", 422, "The kept file cannot be drawn.", "保存的文件无法显示。", "Look at it on a machine of its own.", "请在独立机器上查看。"},
	{"photograph_too_large", 422, "The photograph has more pixels than is drawn here.", "照片像素过多，无法在此显示。", "Look at the kept file on a machine of its own.", "请在独立机器上查看原文件。"},
	{"run_is_worked_on", 409, "This host works on the run already.", "主机正在执行该检测。", "Wait until it is through.", "请等待其完成。"},
	{"bench_is_full", 429, "As many runs wait as may.", "等待的检测已达上限。", "Try again when one is through.", "请待其中之一完成后重试。"},
	{"unavailable", 503, "The host cannot tell now who asks.", "主机暂时无法确认请求者。", "Try again.", "请重试。"},
	{"internal", 500, "The host failed; its log has it under the request's number.", "主机内部错误，日志按请求编号记录。", "Give the operator the request_id. Whether a write was done is not known: read it.", "请将 request_id 告知运维；写操作是否生效未知，请先查询。"},
}

// problemSchema is the schema of every error.
func (a *API) problemSchema() *huma.Schema {
	return (*Problem)(nil).Schema(a.huma.OpenAPI().Components.Schemas)
}

// ProblemBody is the one form of every error.
type ProblemBody struct {
	Error ProblemError `json:"error"`
}

// ProblemError is what it says.
type ProblemError struct {
	Type    string `json:"type" enum:"invalid_request,authentication,permission,not_found,conflict,rate_limit,internal"`
	Code    string `json:"code" doc:"stable; what a program decides by" example:"unknown_member"`
	Message string `json:"message" doc:"for a person; may change"`
	Param   string `json:"param,omitempty" doc:"what of the request was wrong" example:"suspended"`
	DocURL  string `json:"doc_url" doc:"what the code means and what to do" example:"/docs/errors#unknown_member"`
	Request string `json:"request_id,omitempty" doc:"of the answer's Request-Id header, by which the host's log is searched"`
}

// Schema implements huma.SchemaProvider: a problem is written within a member of its own.
func (*Problem) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[ProblemBody](), true, "")
}

var _ huma.SchemaProvider = (*Problem)(nil)
