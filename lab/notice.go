package lab

// Notices are what every report, certificate and answer says of what it is not. They are the same everywhere.
func Notices(selfDeclaration string) []Text {
	list := []Text{{
		EN: "This is no approval by PCI SSC, EMVCo or China UnionPay, and takes the place of none. It was issued under " + Scheme + ".",
		ZH: "本证书(报告)不是 PCI SSC、EMVCo 或中国银联的批准, 也不能代替其批准; 依据 " + Scheme + " 出具。",
	}}
	switch selfDeclaration {
	case "":
	case "maker":
		list = append(list, Text{EN: "SELF-DECLARATION: the assessor's organisation makes the subject. This is no assessment by a third party.",
			ZH: "自我声明: 检测机构即为产品厂商, 本结果不是第三方检测。"})
	default:
		list = append(list, Text{EN: "SELF-DECLARATION: the assessor's organisation is the acquirer of the subject. This is no assessment by a third party.",
			ZH: "自我声明: 检测机构即为收单机构, 本结果不是第三方检测。"})
	}
	return list
}
