package segment

import (
	"regexp"
	"strings"
)

// SQLDivisors reads from a condition on revenue which currencies it divides by
// something else than 100.
func SQLDivisors(where string) map[string]string {
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`IN \(([^)]*)\) THEN (\d+)`).FindAllStringSubmatch(where, -1) {
		for code := range strings.SplitSeq(m[1], ",") {
			found[strings.Trim(code, "'")] = m[2]
		}
	}
	return found
}
