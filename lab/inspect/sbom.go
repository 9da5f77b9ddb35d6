package inspect

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"touchstone/lab"
)

// bom is what of CycloneDX is read.
type bom struct {
	Format   string `json:"bomFormat"`
	Version  string `json:"specVersion"`
	Metadata struct {
		Component component `json:"component"`
	} `json:"metadata"`
	Components []component `json:"components"`
}

type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

// library is how libraries of a payload are named: lib/NAME-VERSION.so or .jar.
var library = regexp.MustCompile(`(?:^|/)lib/([A-Za-z0-9_.+]+?)-([0-9][A-Za-z0-9.]*)\.(?:so|jar|a)$`)

// leastListed is how much of what is detected the inventory must list, in percent.
const leastListed = 95

// SBOM is check sbom of POSC-SW-11, version 1.
func (p *Package) SBOM() lab.Result {
	raw := p.find(SBOMPath)
	if raw == nil {
		return fail("no "+SBOMPath, "没有 "+SBOMPath)
	}
	var b bom
	if err := json.Unmarshal(raw, &b); err != nil || b.Format != "CycloneDX" {
		return fail(SBOMPath+" is no CycloneDX", SBOMPath+" 不是 CycloneDX 格式")
	}
	var major, minor int
	if n, err := fmt.Sscanf(b.Version, "%d.%d", &major, &minor); err != nil || n != 2 || major != 1 || minor < 6 {
		return fail(fmt.Sprintf("CycloneDX %.8q: want 1.6 or later", b.Version), fmt.Sprintf("CycloneDX %.8q: 应为 1.6 及以上", b.Version))
	}
	if sha256Of(b.Metadata.Component) != p.PayloadDigest() {
		return fail("the inventory is not of this payload: another digest", "物料清单的主体不是本包载荷: 摘要不同")
	}
	found, missing := 0, []string(nil)
	for _, f := range p.payload() {
		name := library.FindStringSubmatch(f.path)
		if name == nil {
			continue
		}
		found++
		sum := sha256.Sum256(f.content)
		if !listed(b.Components, name[1], name[2], hex.EncodeToString(sum[:])) {
			missing = append(missing, name[1]+" "+name[2])
		}
	}
	if found > 0 && 100*(found-len(missing)) < leastListed*found {
		return fail(fmt.Sprintf("%d of %d libraries are not listed with name, version, purl and digest: %.120s", len(missing), found, strings.Join(missing, ", ")),
			fmt.Sprintf("%[2]d 个组件中有 %[1]d 个未列出名称、版本、purl 与摘要: %.120[3]s", len(missing), found, strings.Join(missing, ", ")))
	}
	return pass(fmt.Sprintf("CycloneDX %s of this payload; all %d libraries found are listed", b.Version, found), fmt.Sprintf("CycloneDX %s, 主体为本包载荷; 发现的 %d 个组件均已列出", b.Version, found))
}

func sha256Of(c component) string {
	for _, h := range c.Hashes {
		if h.Algorithm == "SHA-256" {
			return strings.ToLower(h.Content)
		}
	}
	return ""
}

func listed(all []component, name, version, digest string) bool {
	for _, c := range all {
		if c.Name == name && c.Version == version && c.PURL != "" && sha256Of(c) == digest {
			return true
		}
	}
	return false
}
