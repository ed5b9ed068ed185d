package brand

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"touchstone/internal/yamldoc"
)

// Preferences are the words of the preference page, in one or more languages.
type Preferences struct {
	Language string // of customers whose language has no texts; BCP 47
	pages    map[string]Page
}

// Page is the preference page in one language.
type Page struct {
	Language string
	Form     string // names these very words, as proof of what was shown
	Topics   []Topic
	texts    map[string]string
}

// Text is the text under a key, with {brand} and {number} filled in.
func (p Page) Text(key, brand, number string) string {
	return strings.NewReplacer("{brand}", brand, "{number}", number).Replace(p.texts[key])
}

// Page is the page for a customer of this locale ("de-AT").
func (p Preferences) Page(locale string) Page {
	for tag := strings.ToLower(strings.ReplaceAll(locale, "_", "-")); tag != ""; {
		if page, ok := p.pages[tag]; ok {
			return page
		}
		cut := strings.LastIndexByte(tag, '-')
		if cut < 0 {
			break
		}
		tag = tag[:cut]
	}
	return p.pages[strings.ToLower(p.Language)]
}

// Keys of the page's texts. {brand} stands for the brand's name; {number}, in the
// sentences about texts, for the end of the customer's number.
var defaultTexts = map[string]string{
	"title":         "Your preferences",
	"intro":         "Choose what {brand} may send you, and how often.",
	"channels":      "Where we may write to you",
	"email":         "Send me marketing e-mails from {brand}. I can stop them at any time.",
	"sms":           "Send me marketing text messages from {brand} to my number {number}, also by automated means. This is no condition of buying anything; message and data rates may apply. I can stop them at any time, also by replying STOP.",
	"whatsapp":      "Send me marketing messages from {brand} on WhatsApp to my number {number}. I can stop them at any time.",
	"push":          "Send me marketing notifications from {brand} on my devices. I can stop them at any time.",
	"web":           "Show me offers from {brand} that were chosen for me.",
	"topics":        "What you want to hear about",
	"frequency":     "How often",
	"as_it_comes":   "As it comes",
	"weekly":        "At most one message a week",
	"monthly":       "At most one message a month",
	"save":          "Save my choices",
	"stop":          "Stop everything",
	"stop_about":    "After this you receive no more marketing from {brand} at all. Messages about your orders and your account are not affected.",
	"saved":         "Your choices are saved.",
	"unchanged":     "Nothing was changed.",
	"stopped":       "You will receive no more marketing from {brand}.",
	"pending":       "Waits for you to confirm: we have sent you a message with a link.",
	"barred":        "Messages to you do not arrive here.",
	"gone_title":    "There is nothing to choose",
	"gone":          "We hold nothing about you any more, and send you nothing.",
	"damaged_title": "This link does not work",
	"damaged":       "It is damaged or incomplete. Please open it again from the message, or answer the message and tell us what you want.",
	"confirm_title": "One more click",
	"confirm":       "You asked for this:",
	"confirm_yes":   "Yes, I want that",
	"confirm_not":   "If it was not you, close this page: nothing is sent.",
	"thanks_title":  "Thank you",
	"thanks":        "That is settled. Every message has a link by which you can change your mind.",
	"closed_title":  "There is nothing to confirm",
	"closed":        "It was confirmed before, or is not wanted any more.",
}

// TextKeys lists the keys of the page's texts.
func TextKeys() []string {
	keys := make([]string, 0, len(defaultTexts))
	for key := range defaultTexts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)

func preferences(n yamldoc.Node, topics []Topic) Preferences {
	f := n.Fields("language", "texts", "languages")
	p := Preferences{Language: "en", pages: map[string]Page{}}
	if v := f.Get("language"); v.Present() {
		p.Language = v.Text()
		if !languageTag.MatchString(p.Language) {
			v.Fail("language %q: write a tag such as en or de-AT", p.Language)
		}
	}
	base := Page{Language: p.Language, Topics: topics, texts: texts(f.Get("texts"), defaultTexts)}
	p.pages[strings.ToLower(p.Language)] = base.named()
	for _, e := range f.Get("languages").Entries() {
		if !languageTag.MatchString(e.Key) {
			e.Value.Fail("language %q: write a tag such as en or de-AT", e.Key)
			continue
		}
		g := e.Value.Fields("texts", "topics")
		page := Page{Language: e.Key, Topics: translated(g.Get("topics"), topics), texts: texts(g.Get("texts"), base.texts)}
		p.pages[strings.ToLower(e.Key)] = page.named()
	}
	return p
}

// texts lays a file's texts over others.
func texts(n yamldoc.Node, under map[string]string) map[string]string {
	all := map[string]string{}
	f := n.Fields(TextKeys()...)
	for key, text := range under {
		if v := f.Get(key); v.Present() {
			if text = strings.Join(strings.Fields(v.Text()), " "); text == "" {
				v.Fail("%s is empty: write what customers read, or remove it for the shipped text", key)
			}
			if len(text) > 2000 {
				v.Fail("%s has %d characters: write at most 2000", key, len(text))
			}
		}
		all[key] = text
	}
	return all
}

func translated(n yamldoc.Node, topics []Topic) []Topic {
	list := slices.Clone(topics)
	for _, e := range n.Entries() {
		i := slices.IndexFunc(list, func(t Topic) bool { return t.ID == e.Key })
		if i < 0 {
			e.Value.Fail("there is no topic %s: add it to topics, or remove it here", e.Key)
			continue
		}
		f := e.Value.Fields("title", "about")
		list[i].Title, list[i].About = f.Get("title").Required(topics[i].Title).Text(), f.Get("about").Text()
	}
	return list
}

// named gives the page the name of its words.
func (p Page) named() Page {
	h := sha256.New()
	for _, key := range TextKeys() {
		h.Write([]byte(key + "\x00" + p.texts[key] + "\x00")) // a hash never fails to write
	}
	for _, t := range p.Topics {
		h.Write([]byte(t.ID + "\x00" + t.Title + "\x00" + t.About + "\x00"))
	}
	p.Form = "preferences-" + strings.ToLower(p.Language) + "-" + hex.EncodeToString(h.Sum(nil)[:6])
	return p
}
