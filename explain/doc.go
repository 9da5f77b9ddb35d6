// Package explain is the catalogue that puts reasons, answer codes (DE39) and checks into words, in
// English and Chinese: what happened in a phrase for one line of a screen, what it means, what may
// have caused it, and what three people do about it (the cashier, the merchant's support, the
// security engineer).
//
// It is not a diagnosis. A reason's causes are possible causes, never the proven one, and a code
// alone yields only the reasons that share it. No text speaks of anyone's intent. It decides nothing:
// name, code and owner of a reason come from package reason.
//
// The cashier's words belong to the code, not to the reason: every reason behind one DE39 gives the
// cashier the same words, so that the counter learns no more than the terminal does. Support and
// Engineer are for staff who have signed in, and are not read out to a merchant.
//
// Load reads the embedded data files once and checks that each is whole:
//
//	catalogue, err := explain.Load()
//	entry := catalogue.Reason(reason.MACFailed)
//	fmt.Println(entry.Short.In(explain.Chinese), entry.Cashier.In(explain.Chinese))
//
// Words are added in reasons.json, codes.json and words.json; a reason without them fails Load.
//
// Sources: docs/protocol/failures.md (reasons, owners, rules of proof);
// docs/protocol/unionpay-pos.md, sections 7 to 7.3 (codes, classes, causes seen at merchants) and 9A.
package explain
