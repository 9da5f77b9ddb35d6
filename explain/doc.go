// Package explain is the catalogue that puts reasons, causes, answer codes (DE39) and checks into words, in English and
// Chinese: what happened in a phrase for one line of a screen, what it means, what became of the money, and what three
// people do about it (the cashier, the merchant's support, the security engineer), what none of them does, whether to
// sign in, restart or send somebody, which advice is only folk advice, and what is not proven.
//
// It is not a diagnosis. A reason's causes are possible causes, never the proven one; which was found stands in the
// journal, and Guide composes what follows from it. A code alone yields only the reasons that share it, and words of a
// person (Search) only where to read on: neither ever yields a cause. No text speaks of anyone's intent. The package
// decides nothing: name, code, owner and family come from package reason.
//
// The cashier's part (Counter: steps, screen, what never to do) belongs to the code, not to the reason: every reason
// behind one DE39, and every cause behind it, gives the cashier the same words, so that the counter learns no more than
// the terminal does. The steps of support and engineer are for staff who have signed in, and are not read out to a
// merchant.
//
// Load reads the embedded data files once and checks that each is whole:
//
//	catalogue, err := explain.Load()
//	guide := catalogue.Guide(reason.MACFailed, reason.MACStaleKey, "used_newer")
//	fmt.Println(guide.Owner.In(explain.Chinese), guide.Steps.Support)
//	found := catalogue.Search("密码键盘锁定")
//
// Words are added in data: sayings.json (texts that many share, by name), counters.json (the cashier's part),
// codes.json, reasons_*.json, causes_*.json, search.json (phrases, what a terminal says of itself, the three kinds of
// 安全认证失败) and words.json. A reason or a cause without its words fails Load.
//
// Pages makes docs/reasons of it.
//
// Sources: docs/protocol/failures.md (reasons, causes, owners, rules of proof);
// docs/protocol/unionpay-pos.md, sections 7 to 7.3 (codes, classes, what merchants see) and 9A.
package explain
