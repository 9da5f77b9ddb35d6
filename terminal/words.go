package terminal

import "touchstone/iso8583"

// The fixed texts of the screen. Each fits twenty columns.
var (
	wordsLocked  = Words{"终端已锁定", "TERMINAL LOCKED"}
	wordsReady   = Words{"待机", "READY"}
	wordsSignIn  = Words{"请签到", "PLEASE SIGN IN"}
	wordsBatch   = Words{"批次", "BATCH"}
	wordsAmount  = Words{"金额", "AMOUNT"}
	wordsBalance = Words{"余额", "BALANCE"}
	wordsCover   = Words{"请遮挡密码", "COVER YOUR PIN"}
	wordsWaiting = Words{"正在处理", "PROCESSING"}
	wordsTrace   = Words{"凭证", "TRACE"}
	wordsCode    = Words{"码", "CODE"}
	wordsFailed  = Words{"交易失败", "FAILED"}

	wordsCheckCode = Words{"核验", "CHECK"}
	wordsCheck     = Words{"核验本终端", "CHECK THIS TERMINAL"}
	wordsCheckFor  = Words{"每分钟更新", "NEW EVERY MINUTE"}
)

// titles are the names of the operations.
var titles = map[string]Words{
	"sign-in":  {"签到", "SIGN IN"},
	"sign-off": {"签退", "SIGN OFF"},
	"echo":     {"回响测试", "ECHO TEST"},
	"balance":  {"余额查询", "BALANCE"},
	"sale":     {"消费", "SALE"},
	"void":     {"消费撤销", "VOID"},
	"refund":   {"退货", "REFUND"},
	"reversal": {"冲正", "REVERSAL"},
	"settle":   {"结算", "SETTLEMENT"},
	"tamper":   {"终端状态上报", "STATUS REPORT"},
	"garbage":  {"乱码", "GARBAGE"},
}

func titleOf(operation string) Words { return titles[operation] }

// outcomeWords are the texts of the outcomes that no answer code describes.
var outcomeWords = map[Outcome]Words{
	NoConnection:     {"无法连接主机", "NO CONNECTION"},
	NoAnswer:         {"主机无应答", "NO ANSWER"},
	WrongMAC:         {"应答MAC错", "BAD ANSWER MAC"},
	KeyCheckError:    {"密钥校验错", "KEY CHECK ERROR"},
	SignInFailed:     {"签到失败", "SIGN-IN FAILED"},
	ReversalOpen:     {"冲正未完成", "REVERSAL OPEN"},
	BalanceDisagrees: {"对账不平", "TOTALS DISAGREE"},
	SettlementOpen:   {"请先完成结算", "SETTLEMENT OPEN"},
}

// codeWords are the texts of the answer codes; docs/protocol/unionpay-pos.md, section 7, shortened to
// twenty columns. A code that is not here reads wordsFailed, as the section says.
var codeWords = map[string]Words{
	"00": {"交易成功", "APPROVED"},
	"01": {"请联系发卡行", "CALL ISSUER"},
	"03": {"无效商户", "INVALID MERCHANT"},
	"04": {"没收卡", "PICK UP CARD"},
	"05": {"持卡人认证失败", "DO NOT HONOUR"},
	"10": {"部分承兑", "PARTIAL APPROVAL"},
	"11": {"交易成功 VIP客户", "APPROVED VIP"},
	"12": {"无效交易", "INVALID TRANSACTION"},
	"13": {"无效金额", "INVALID AMOUNT"},
	"14": {"无效卡号", "INVALID CARD NUMBER"},
	"15": {"无此发卡方", "NO SUCH ISSUER"},
	"21": {"卡未初始化", "CARD NOT ACTIVATED"},
	"22": {"操作有误", "WRONG STATE"},
	"25": {"找不到原始交易", "ORIGINAL NOT FOUND"},
	"30": {"报文格式错误", "FORMAT ERROR"},
	"34": {"作弊卡", "FRAUD CARD"},
	"38": {"密码错误次数超限", "PIN TRIES EXCEEDED"},
	"40": {"功能尚不支持", "NOT SUPPORTED"},
	"41": {"挂失卡", "LOST CARD"},
	"43": {"被窃卡", "STOLEN CARD"},
	"45": {"请使用芯片", "USE THE CHIP"},
	"51": {"余额不足", "INSUFFICIENT FUNDS"},
	"54": {"过期卡", "EXPIRED CARD"},
	"55": {"密码错", "INCORRECT PIN"},
	"57": {"不允许此卡交易", "CARD NOT PERMITTED"},
	"58": {"终端不允许此交易", "NOT PERMITTED HERE"},
	"59": {"卡片校验错", "CARD CHECK FAILED"},
	"61": {"超出金额限制", "AMOUNT LIMIT"},
	"62": {"受限卡", "RESTRICTED CARD"},
	"63": {"侵犯安全", "SECURITY VIOLATION"},
	"64": {"与原交易金额不符", "AMOUNT MISMATCH"},
	"65": {"超出次数限制", "FREQUENCY LIMIT"},
	"66": {"请联系收单行安全部", "CALL ACQUIRER"},
	"68": {"交易超时", "TIMEOUT"},
	"75": {"密码错误次数超限", "PIN TRIES EXCEEDED"},
	"76": {"无效账户", "INVALID ACCOUNT"},
	"77": {"请重新签到", "SIGN IN AGAIN"},
	"90": {"系统日切 请稍后", "CUT-OFF, TRY LATER"},
	"91": {"发卡方状态不正常", "ISSUER DOWN"},
	"92": {"发卡方线路异常", "NETWORK FAULT"},
	"93": {"交易违法", "VIOLATES LAW"},
	"94": {"重复交易", "DUPLICATE"},
	"95": {"核对差错", "RECONCILIATION ERR"},
	"96": {"系统异常", "SYSTEM MALFUNCTION"},
	"97": {"终端号未登记", "NOT REGISTERED"},
	"98": {"发卡方超时", "ISSUER TIMEOUT"},
	"99": {"PIN格式错 请签到", "PIN FORMAT, SIGN IN"},
	"A0": {"MAC校验错 请签到", "MAC FAILED, SIGN IN"},
	"A1": {"转账货币不一致", "CURRENCY MISMATCH"},
	"A2": {"成功 请向银行确认", "APPROVED, CONFIRM"},
	"A3": {"转入账号不正确", "WRONG ACCOUNT"},
	"A4": {"成功 请向银行确认", "APPROVED, CONFIRM"},
	"A5": {"成功 请向银行确认", "APPROVED, CONFIRM"},
	"A6": {"成功 请向银行确认", "APPROVED, CONFIRM"},
	"A7": {"安全处理失败", "SECURITY FAILED"},
}

// wordsFor is a result in a cashier's words. An approval code that is not believed is never worded as one.
func wordsFor(res *Result) Words {
	if w, ok := outcomeWords[res.Outcome]; ok {
		return w
	}
	code := res.DE39.String()
	switch {
	case res.Approved && res.Operation == "reversal":
		return Words{"冲正成功", "REVERSED"}
	case res.Approved && res.Operation == "settle" && res.Settlement.Domestic.Result == iso8583.Balanced:
		return Words{"结算成功", "SETTLED"}
	case res.Outcome == MissingMAC && succeeded(res.DE39):
		return Words{"应答无MAC", "ANSWER WITHOUT MAC"}
	case res.Approved && (res.Operation == "sign-in" || res.Operation == "sign-off"):
		return Words{titleOf(res.Operation).ZH + "成功", titleOf(res.Operation).EN + " DONE"}
	}
	return codeText(code)
}

func codeText(code string) Words {
	if w, ok := codeWords[code]; ok {
		return w
	}
	return wordsFailed
}
