package main

import (
	"strings"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/staff"
)

// roomChinese are the rooms in which people act, as a line of the journal names them.
var roomChinese = map[journal.Kind]string{
	journal.KindStaff: "人员", journal.KindFleet: "设备", journal.KindLab: "检测", journal.KindIncident: "事件", journal.KindRedress: "赔付",
}

// recordChinese are the records of the register and the other entries that are no message.
var recordChinese = map[journal.Kind]string{
	journal.KindMerchant: "商户", journal.KindTerminal: "终端", journal.KindDevice: "设备", journal.KindCard: "卡片", journal.KindKey: "密钥",
	journal.KindOpened: "数据目录", journal.KindLoss: "已确认的丢失",
}

// verbChinese has each verb of an act, done or tried; in English the verb is its own words.
var verbChinese = map[string]string{
	"accept_loss": "确认丢失", "approve": "批准提案", "proposed": "提出提案", "proposal_approved": "提案获批", "proposal_rejected": "提案被否", "proposal_done": "提案已办",
	"api_key": "建立接口密钥", "api_key_made": "接口密钥已建立", "api_key_revoke": "吊销接口密钥", "api_key_revoked": "接口密钥已吊销", "api_key_used": "接口密钥已使用",
	"webhook": "添加回调", "webhook_made": "回调已添加", "webhook_set": "停用或恢复回调", "webhook_enabled": "回调已恢复", "webhook_disabled": "回调已停用", "webhook_rotate": "更换回调密钥", "webhook_rotated": "回调密钥已更换",
	"transport_key": "建立传输密钥", "transport_key_made": "传输密钥已建立",
	"webhook_replay": "重发回调消息", "webhook_replay_asked": "已要求重发回调消息",
	"account_unlock": "解锁账户", "account_unlocked": "账户已解锁", "passphrase_wrong": "口令错误", "passphrase_right": "口令正确",
	"account_change": "修改账户", "account_changed": "账户已修改", "account_made": "账户已建立", "account_used": "账户已使用", "accounts_reviewed": "账户已复核",
	"sign_in": "登录", "signed_in": "已登录", "browser_forgotten": "浏览器不再识别", "browsers_forgotten": "已清除识别的浏览器", "preference_set": "显示偏好已设", "invitation_accepted": "已接受邀请",
	"second_factor_enrolled": "第二因素已绑定", "second_factor_used": "验证码已使用", "second_factor_reset": "重置第二因素", "recovery_code_used": "恢复码已使用", "recovery_codes_made": "恢复码已更新",
	"passphrase_change": "更换口令", "passphrase_changed": "口令已更换", "personnel_change": "人员变动", "person_leave": "人员离职", "person_left": "人员已离职",
	"cashier_add": "登记收银员", "cashier_added": "收银员已登记", "cashier_change": "修改收银员", "cashier_changed": "收银员已修改", "cashier_leave": "收银员离职", "cashier_left": "收银员已离职",
	"training_begin": "开始测试", "training_begun": "测试已开始", "training_end": "交卷", "training_sit": "参加测试", "training_passed": "测试通过", "training_failed": "测试未通过",
	"training_record": "登记培训", "training_recorded": "培训已登记", "guidance_confirm": "确认已读守则", "guidance_confirmed": "守则已读",
	"terminal_passwords": "设定终端密码规则", "terminal_passwords_set": "终端密码规则已定",
	"merchant_register": "登记商户", "merchant_registered": "商户已登记", "device_register": "登记设备", "device_registered": "设备已登记",
	"terminal_register": "登记终端", "terminal_registered": "终端已登记", "card_register": "登记卡片", "card_registered": "卡片已登记",

	"device": "设备变动", "device_announce": "预告设备", "device_announced": "设备已预告", "device_receive": "验收设备", "device_received": "设备已验收",
	"device_deploy": "布放设备", "device_deployed": "设备已布放", "device_move": "移机", "device_rebind": "换绑设备", "device_rebound": "设备已换绑", "device_moved": "设备已移机", "device_repair": "送修", "device_repaired": "设备已送修",
	"model_picture": "设置型号图片", "model_picture_set": "型号图片已设置", "model_picture_removed": "型号图片已移除", "device_lose": "设备挂失", "device_lost": "设备已挂失", "device_return": "收回设备", "device_returned": "设备已收回", "device_retire": "停用设备", "device_retired": "设备已停用", "device_destroy": "销毁设备", "device_destroyed": "设备已销毁",
	"device_quarantined": "设备已隔离", "device_release": "解除拆机锁定", "device_bound_twice": "一机多用", "device_certificate": "设备证书", "devices_seeded": "示例设备已建立",
	"device_inspect": "巡检", "inspection_recorded": "巡检已记录", "device_glance": "每日查看", "glance_recorded": "每日查看已记录", "glance_reported": "查看发现异常", "health_reported": "健康报告",
	"permit_policy_set": "设定许可策略", "sales_resume": "恢复交易", "canary_finding": "金丝雀发现", "clone_clear": "解除克隆嫌疑",
	"release_repository": "发布仓库", "release_repository_written": "发布仓库已更新", "release_repository_made": "发布仓库已建立", "release_repository_refreshed": "发布仓库已刷新", "release_repository_renewed": "发布仓库已续期",
	"release_publish": "发布版本", "release_published": "版本已发布", "release_change": "修改版本状态", "release_package": "发布已签署的发布包", "release_changed": "版本状态已改", "version_presented": "终端上报版本",
	"advisory": "安全公告", "advisory_added": "公告已收录", "advisory_renewed": "公告已更新", "advisory_closed": "公告已关闭",
	"campaign": "整改", "campaign_started": "整改已开始", "campaign_progress": "整改进度", "campaign_closed": "整改已结束", "campaign_seeded": "示例整改已建立",

	"lab_key_made": "检测密钥已建立", "lab_scope": "签署检测范围", "scope_signed": "检测范围已签", "lab_stop": "停止检测", "scope_stopped": "检测已停止",
	"lab_run": "开始检测", "run_started": "检测已开始", "run_rescoped": "检测换用范围", "lab_observe": "记录结果", "observed": "结果已记录", "lab_mark": "标为不适用", "marked_not_applicable": "已标为不适用",
	"lab_finish": "完成检测", "run_completed": "检测已完成", "lab_finding": "处理问题项", "finding_changed": "问题项变动", "finding_open": "问题项重新打开", "finding_answered": "问题项已答复",
	"finding_fixed": "问题项已修复", "finding_retested": "问题项复测通过", "finding_closed": "问题项已关闭", "finding_accepted": "问题项已接受",
	"certificate_issue": "签发安全证书", "certificate_issued": "安全证书已签发", "certificate_change": "变更安全证书", "certificate_changed": "安全证书变更",
	"certificate_suspended": "安全证书已暂停", "certificate_withdrawn": "安全证书已撤销", "certificate_reinstated": "安全证书已恢复", "certificate_superseded": "安全证书已被取代",

	"incident_open": "立案", "incident_opened": "已立案", "incident_opened_again": "再次立案", "incident_widened": "范围扩大", "incident_assign": "指派", "incident_assigned": "已指派",
	"incident_note": "备注", "incident_noted": "已备注", "incident_grade": "定级", "incident_graded": "已定级", "incident_scope": "划定范围", "incident_scoped": "范围已定",
	"incident_cause": "认定原因", "incident_cause_found": "原因已认定", "incident_action": "采取措施", "incident_action_taken": "已采取措施", "incident_link": "关联", "incident_linked": "已关联",
	"incident_answer": "答复时限", "incident_clock_answered": "时限已答复", "incident_start": "起算时限", "incident_clock_started": "时限已起算", "incident_waive": "豁免时限", "incident_clock_waived": "时限已豁免",
	"incident_clock_ran_out": "时限已过", "incident_close": "结案", "incident_closed": "已结案", "incident_rules": "载入规则", "incident_rules_loaded": "规则已载入",
	"incident_clocks": "载入时限规则", "clock_rules_loaded": "时限规则已载入", "incident_drill": "演练", "incident_dismiss": "驳回报告", "report_dismissed": "报告已驳回",
	"incident_join": "报告并案", "report_joined": "报告已并案", "incident_contacts": "设定联系密钥", "contact_key_set": "联系密钥已设", "contacts_forgotten": "联系方式已删除", "report_file": "提交报告", "report_filed": "报告已提交",

	"exposure_freeze": "固定受影响交易", "exposure_frozen": "受影响交易已固定", "claim_make": "提出索赔", "claim_made": "索赔已提出", "claim_decide": "裁定索赔", "claim_decided": "索赔裁定",
	"claim_approved": "索赔获准", "claim_refused": "索赔被拒", "payment_noted": "赔付已记账", "payment_lapsed": "赔付未成",
	"notices_draft": "起草通知", "notices_drafted": "通知已起草", "notices_send": "发送通知", "notices_queued": "通知待发", "notice_retry": "重发通知", "notice_retried": "通知将重发",
	"notice_attempted": "通知发送中", "notice_sent": "通知已送达", "notice_not_sent": "通知未送达", "notice_failed": "通知失败", "notice_in_doubt": "通知存疑", "notice_given_up": "通知已放弃",
}

// nounChinese are the things an act changed.
var nounChinese = map[string]string{
	"account": "账户", "api_key": "接口密钥", "webhook": "回调", "transport_key": "传输密钥", "proposal": "提案", "cashier": "收银员", "training": "测试", "guidance": "守则", "access_review": "账户复核", "terminal_passwords": "密码规则", "registration": "登记",
	"device": "设备", "binding": "布放", "inspection": "巡检", "glance": "每日查看", "health": "健康报告", "release": "版本", "installed": "已装版本", "advisory": "公告", "campaign": "整改",
	"passphrase_guesses": "口令尝试", "second_factor": "第二因素", "sign_ins": "登录记录", "preference": "显示偏好", "burn_down": "进度", "model_picture": "型号图片", "repository": "发布仓库", "permit_policy": "许可策略", "lab_key": "检测密钥", "scope": "范围", "run": "检测", "observation": "结果", "finding": "问题项",
	"security_certificate": "安全证书", "incident": "事件", "incident_step": "步骤", "incident_clock": "时限", "report": "报告", "incident_rule": "规则", "clock_rule": "时限规则",
	"operator": "操作员", "contact_key": "联系密钥", "claim": "索赔", "exposure": "受影响交易", "notice": "通知",
}

// room, verb and noun name what an act did; one of a later version is said as it stands in the journal.
func (l *lines) room(k journal.Kind) string {
	return l.two(k.String(), wordOr(roomChinese[k], k.String()))
}

func (l *lines) verb(v string) string { return l.plain(v, verbChinese) }

func (l *lines) noun(n string) string { return l.plain(n, nounChinese) }

// recorded names a kind of record.
func (l *lines) recorded(k journal.Kind) string {
	return l.two(k.String(), wordOr(recordChinese[k], k.String()))
}

func (l *lines) plain(word string, chinese map[string]string) string {
	words := strings.ReplaceAll(word, "_", " ")
	return l.two(words, wordOr(chinese[word], words))
}

func wordOr(word, other string) string {
	if word == "" {
		return other
	}
	return word
}

var proposalChinese = map[staff.ProposalState]string{staff.Open: "待同意", staff.Approved: "已同意", staff.Rejected: "已否决", staff.Done: "已办理"}

func (l *lines) proposalState(s staff.ProposalState) string {
	return l.two(string(s), wordOr(proposalChinese[s], string(s)))
}

var roleChinese = map[staff.Role]string{staff.Administrator: "管理员", staff.KeyCustodian: "密钥保管员", staff.Security: "安全主管", staff.Support: "商户支持", staff.Field: "现场服务",
	staff.Assessor: "检测员", staff.Merchant: "商户", staff.Auditor: "审计员", staff.Developer: "开发员"}

func (l *lines) roles(roles []staff.Role) string {
	if l.lang != explain.Chinese {
		return rolesText(roles)
	}
	words := make([]string, len(roles))
	for i, r := range roles {
		words[i] = wordOr(roleChinese[r], string(r))
	}
	return strings.Join(words, "、")
}
