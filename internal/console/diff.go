package console

import "strings"

// change is a run of words that both texts have, or only one of them.
type change struct {
	Kind string // same, removed, added
	Text string
}

// diffWords is the most words per side that are compared; copy is far shorter.
const diffWords = 3000

// diff compares two texts word by word: the longest common subsequence is the
// same, the rest was removed or added. Text beyond diffWords is left out of the
// comparison and shown as removed and added whole.
func diff(before, after string) []change {
	a, b := wordsOf(before), wordsOf(after)
	if len(a) > diffWords || len(b) > diffWords {
		return join(nil, change{"removed", before}, change{"added", after})
	}
	common := make([][]uint16, len(a)+1) // length of the best match of a[i:] and b[j:]
	for i := range common {
		common[i] = make([]uint16, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var changes []change
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			changes = join(changes, change{"same", a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			changes = join(changes, change{"removed", a[i]})
			i++
		default:
			changes = join(changes, change{"added", b[j]})
			j++
		}
	}
	return join(changes, change{"removed", strings.Join(a[i:], "")}, change{"added", strings.Join(b[j:], "")})
}

// join appends changes, putting neighbours of one kind together.
func join(changes []change, more ...change) []change {
	for _, c := range more {
		switch last := len(changes) - 1; {
		case c.Text == "":
		case last >= 0 && changes[last].Kind == c.Kind:
			changes[last].Text += c.Text
		default:
			changes = append(changes, c)
		}
	}
	return changes
}

// wordsOf splits a text into words, each with the white space after it, so that
// they add up to the text.
func wordsOf(text string) []string {
	var words []string
	start := 0
	for i := 1; i < len(text); i++ {
		if isSpace(text[i-1]) && !isSpace(text[i]) {
			words = append(words, text[start:i])
			start = i
		}
	}
	if start < len(text) {
		words = append(words, text[start:])
	}
	return words
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }
