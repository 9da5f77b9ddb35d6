// Package notify tells others: it makes the notices of an incident (text in Chinese and English, the counter notice as an
// A4 page, the file encrypted to an issuer) and hands them over by SMTP, an SMS gateway, a signed webhook or a directory. It
// also has a small mail server that keeps what it is given, for demonstrations and tests.
//
// It decides nothing about when and whether: that is redress, and the outbox of cmd/touchstone. It knows no full card number,
// so it cannot tell one.
//
// Sources: RFC 5321 (SMTP), 3207 (STARTTLS), 4954 (AUTH), 5322 and 2045 (messages); age-encryption.org/v1; HMAC-SHA-256 of RFC
// 2104; the contents of a notice to persons of Article 57 of the Personal Information Protection Law (个人信息保护法).
package notify
