package guardrails

// wordClass says in one look-up per word which tables of the rules know it, so
// that most words of a message cost nothing further.
type wordClass uint8

const (
	numberWord    wordClass = 1 << iota // units, tens, hundred
	monthWord                           // months
	dayNameWord                         // weekdays, today, tonight, tomorrow, midnight
	phraseWord                          // begins a phrase of the claims
	codeWord                            // announces a discount code
	spamWord                            // begins a phrase of the spam score
	emptinessWord                       // null, undefined
)

var (
	classes = classify()
	shapes  = shapesOf(classes)
)

// shape is a word's first two bytes and length, folded into 12 bits.
func shape(w string) int { return (int(w[0])*31+int(w[1]))*13 + len(w)&0xf }

const shapeSpace = 1 << 12

// shapesOf marks the shapes of known words: a cheap no for most others.
func shapesOf(known map[string]wordClass) *[shapeSpace]bool {
	var marks [shapeSpace]bool
	for w := range known {
		if len(w) > 1 {
			marks[shape(w)%shapeSpace] = true
		}
	}
	return &marks
}

func classOf(w string) wordClass {
	if len(w) < 2 || !shapes[shape(w)%shapeSpace] {
		return 0 // the tables know no words of one byte but digits, which are numbers
	}
	return classes[w]
}

func classify() map[string]wordClass {
	m := map[string]wordClass{"hundred": numberWord, "null": emptinessWord, "undefined": emptinessWord}
	for w := range units {
		m[w] |= numberWord
	}
	for w := range tens {
		m[w] |= numberWord
	}
	for w := range months {
		m[w] |= monthWord
	}
	for w := range weekdays {
		m[w] |= dayNameWord
	}
	for _, w := range []string{"today", "tonight", "tomorrow", "midnight"} {
		m[w] |= dayNameWord
	}
	for w := range phrases {
		m[w] |= phraseWord
	}
	for w := range codeWords {
		m[w] |= codeWord
	}
	for _, p := range spamPhrases {
		m[p.words[0]] |= spamWord
	}
	return m
}
