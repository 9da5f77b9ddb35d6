package inspect

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"touchstone/lab"
)

// rule is one pattern of what must not be in a package.
type rule struct {
	name    string
	pattern *regexp.Regexp
}

// The rules. The values that match are never told.
var rules = []rule{
	{"private key", regexp.MustCompile(`-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----`)},
	{"password", regexp.MustCompile(`(?i)\b(?:password|passwd|passphrase|admin_pin|menu_code)\b["']?\s*[:=]\s*["']?[^\s"'$<{]{4,}`)},
	{"key constant", regexp.MustCompile(`(?i)\b[a-z_]*(?:key|tmk|mak|pik|tdk|secret)\b["']?\s*[:=]\s*["']?(?:0x)?(?:[0-9a-f]{64}|[0-9a-f]{48}|[0-9a-f]{32})\b`)},
	{"token", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`)},
	{"cloud key", regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
}

// keyStores are files that hold private keys by their nature.
var keyStores = []string{".p12", ".pfx", ".jks", ".bks", ".keystore"}

// foundChinese says in Chinese what was found, and lineChinese on which line.
var (
	foundChinese = strings.NewReplacer("(private key)", "(私钥)", "(password)", "(口令)", "(key constant)", "(密钥常量)", "(token)", "(令牌)", "(cloud key)", "(云服务密钥)", "(key store)", "(密钥库)")
	lineChinese  = regexp.MustCompile(`\bline ([0-9]+)`)
)

// maxHits is how many are told.
const maxHits = 20

// Secrets is check secrets of POSC-SW-13, version 1. It looks into archives inside the package as well.
func (p *Package) Secrets() lab.Result {
	b := &budget{MaxEntries, MaxUnpacked}
	hits, looked, err := scan(p.files, b, 1)
	if err != nil {
		return lab.Result{Verdict: lab.Inconclusive, Detail: lab.Text{EN: "an archive inside the package cannot be looked into: " + err.Error(), ZH: "包内的压缩包无法检查: " + err.Error()}}
	}
	if len(hits) > 0 {
		shown := strings.Join(hits[:min(len(hits), maxHits)], "; ")
		return fail(fmt.Sprintf("%d secrets left in the package: %.600s", len(hits), shown), fmt.Sprintf("包内遗留 %d 处密钥或口令: %.600s", len(hits), foundChinese.Replace(lineChinese.ReplaceAllString(shown, "第 $1 行"))))
	}
	return pass(fmt.Sprintf("%d files looked through, no secret found", looked), fmt.Sprintf("检查 %d 个文件, 未发现密钥或口令", looked))
}

func scan(files []file, b *budget, depth int) (hits []string, looked int, err error) {
	for _, f := range files {
		looked++
		lower := strings.ToLower(f.path)
		if slices.ContainsFunc(keyStores, func(s string) bool { return strings.HasSuffix(lower, s) }) {
			hits = append(hits, fmt.Sprintf("%.80q (key store)", f.path))
		}
		if bytes.HasPrefix(f.content, []byte("PK\x03\x04")) {
			if depth >= MaxDepth {
				return nil, looked, fmt.Errorf("%w: archives nested %d deep", ErrArchive, MaxDepth)
			}
			inner, err := unpack(f.content, b)
			if err != nil {
				return nil, looked, err
			}
			more, n, err := scan(inner, b, depth+1)
			if err != nil {
				return nil, looked, err
			}
			for _, h := range more {
				hits = append(hits, fmt.Sprintf("%.80q: %s", f.path, h))
			}
			looked += n
			continue
		}
		for _, r := range rules {
			if at := r.pattern.FindIndex(f.content); at != nil {
				hits = append(hits, fmt.Sprintf("%.80q line %d (%s)", f.path, 1+bytes.Count(f.content[:at[0]], []byte("\n")), r.name))
			}
		}
	}
	return hits, looked, nil
}
