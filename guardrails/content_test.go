package guardrails

import (
	"strings"
	"testing"
	"time"

	"touchstone/internal/brand"
	"touchstone/internal/lifecycle"
)

// The cheap look-up must never hide a word from the tables.
func TestClassOfKnowsEveryWord(t *testing.T) {
	t.Parallel()
	for w, want := range classes {
		if len(w) > 1 && classOf(w) != want {
			t.Errorf("%q: %b, want %b", w, classOf(w), want)
		}
	}
}

func TestReadMarkup(t *testing.T) {
	t.Parallel()
	m := readMarkup(`<p>One &amp; <b>t</b>wo</p><!-- no --><style>p{}</style><div style="Display: NONE">secret <p>deep</p></div>` +
		`<a href='https://a.example/?x=1&amp;y=2'>go <i>there</i></a><img src=x><img src=y alt="Y"><p style="color:#fff;background:#fff">white</p><script>alert("<p>")</script>`)
	if got := strings.Join(strings.Fields(m.visible.String()), " "); got != "One & two go thereY" {
		t.Errorf("visible %q", got)
	}
	if got := strings.Join(strings.Fields(m.hidden.String()), " "); got != "secret deep white" {
		t.Errorf("hidden %q", got)
	}
	if len(m.links) != 1 || m.links[0] != (link{target: "https://a.example/?x=1&y=2", text: "go there", part: "HTML"}) {
		t.Errorf("links %+v", m.links)
	}
	if m.images != 2 || m.noAlt != 1 || len(m.forbidden) != 1 {
		t.Errorf("images %d, without description %d, forbidden %q", m.images, m.noAlt, m.forbidden)
	}
}

func TestHides(t *testing.T) {
	t.Parallel()
	for style, want := range map[string]bool{
		"display:none": true, "DISPLAY : none !important": true, "visibility:hidden": true, "font-size:0": true, "font-size:0px": true,
		"font-size:0.0em": true, "font-size:0.9em": false, "font-size:10px": false, "opacity:0": true, "opacity:0.5": false, "max-height:0": true,
		"max-height:none": false, "color:#fff;background-color:#fff": true, "color:#000;background:#fff": false, "display:block": false, "": false,
	} {
		if got := hides(style); got != want {
			t.Errorf("%q hides: %v", style, got)
		}
	}
}

func TestFindClaims(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"10% off":                                "10",
		"10 % off":                               "10",
		"10.0 percent":                           "10",
		"ten percent":                            "10",
		"twenty-five per cent":                   "25",
		"a hundred percent":                      "100",
		"one hundred percent":                    "100",
		"%15 off":                                "15",
		"10–20% off":                             "10 20",
		"10 to 20 percent":                       "10 20",
		"٢٠٪ off":                                "20",
		"2\u200b0% off":                          "20",
		"$10":                                    "$10",
		"US$ 1,000.00":                           "$1000",
		"10 €":                                   "€10",
		"€1.000":                                 "€1000",
		"EUR 12,50":                              "€12.5",
		"fifty dollars":                          "$50",
		"99 cents":                               "$0.99",
		"free shipping":                          "",
		"free\nshipping":                         "",
		"shipping is on us":                      "",
		"buy one get one":                        "second",
		"valid for 7 days":                       "168h0m0s",
		"within a 48-hour":                       "48h0m0s",
		"only 3 days left":                       "72h0m0s",
		"ends in one week":                       "168h0m0s",
		"60 days ago":                            "-",
		"for the last 30 days":                   "-",
		"a chair for 4 people":                   "-",
		"made in 1950":                           "-",
		"until October 28":                       "10-28",
		"until October 28th, 2026":               "2026-10-28",
		"by 28 October":                          "10-28",
		"the 28th of October":                    "10-28",
		"2026-10-28":                             "2026-10-28",
		"28.10.2026":                             "2026-10-28",
		"10/28/2026":                             "2026-10-28",
		"28/10/26":                               "2026-10-28",
		"until 10/28":                            "10-28",
		"open 24/7":                              "-",
		"ends Sunday":                            "sunday",
		"a calm Sunday":                          "-",
		"ends at midnight":                       "today",
		"today only":                             "today",
		"last chance":                            "last chance",
		"you may like 3 chairs":                  "-",
		"48 Mill Lane, Portland, ME 04101, USA":  "-",
		"try 3 chairs":                           "-",
		"two hundred and one percent":            "1",
		"Chairs from the twenties, ten of them.": "-",
	} {
		text := plain(text)
		var got []string
		for _, c := range findClaims(part{text: text, tokens: tokenize(text)}) {
			if c.said == "" {
				t.Errorf("%q: a claim without its words", text)
			}
			got = append(got, c.value)
		}
		if len(got) == 0 {
			got = []string{"-"}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q claims %q, want %q", text, strings.Join(got, " "), want)
		}
	}
}

func TestDecimal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    string
		money bool
		want  string
	}{
		{"10", false, "10"}, {"010", false, "10"}, {"10.0", false, "10"}, {"10.50", true, "10.5"}, {"10,50", true, "10.5"},
		{"1,000", false, "1000"}, {"1.000", true, "1000"}, {"1.000", false, "1"}, {"1,234.50", true, "1234.5"}, {"1.234,50", true, "1234.5"},
		{"1'000", true, "1000"}, {"1,234,567", true, "1234567"}, {"0", true, "0"}, {"0.05", true, "0.05"},
	} {
		if got := decimal(c.in, c.money); got != c.want {
			t.Errorf("decimal(%q, %v) = %q, want %q", c.in, c.money, got, c.want)
		}
	}
}

func TestReadingGrade(t *testing.T) {
	t.Parallel()
	easy, ok := readingGrade(strings.Repeat("The cat sat on the mat. ", 10))
	if !ok || easy > 2 { // 6 words, 6 syllables each: 0.39*6 + 11.8 - 15.59 = -1.45
		t.Errorf("easy text: grade %.2f", easy)
	}
	if easy < -1.46 || easy > -1.44 {
		t.Errorf("by the formula the grade is -1.45, not %.2f", easy)
	}
	if _, ok := readingGrade("Too short to tell."); ok {
		t.Error("four words have no grade")
	}
}

func TestAmountOffersBackTheirAmountOnly(t *testing.T) {
	t.Parallel()
	b := brand.Example()
	touch := good()
	touch.Offer = &lifecycle.Offer{ID: "five", Kind: lifecycle.AmountOff, Amount: lifecycle.Money{Amount: 500, Currency: "USD"}, ValidFor: 72 * time.Hour, Label: "$5 off orders over $40"}
	for sentence, want := range map[string]lifecycle.Outcome{
		"Here is $5 off": lifecycle.Allow, "Here is $5.00 off orders over $40": lifecycle.Allow, "Five dollars off, until Saturday": lifecycle.Allow,
		"Here is $40 off": lifecycle.Block, "Here is €5 off": lifecycle.Block, "$5 off, until Friday": lifecycle.Block, "5% off": lifecycle.Block,
	} {
		touch := touch
		mailSaying(sentence)(&touch)
		v := judge(touch, DefaultPolicy(), b, func(r *Rule) bool { return r.Name == "claims" })
		if v.Outcome != want {
			t.Errorf("%q: %+v, want %s", sentence, v, want)
		}
	}
}

func FuzzJudgeContent(f *testing.F) {
	touch := good()
	f.Add(touch.Message.Subject, touch.Message.HTML, touch.Message.Text)
	f.Add("", "<a href=\"x", "<<>>&#37; until 99/99 $ % code ABC")
	f.Add("½", "<div style=display:none><a href=//x>y", "http:// :// @ www. \xff")
	p, b := DefaultPolicy(), brand.Example()
	f.Fuzz(func(t *testing.T, subject, html, text string) {
		touch := good()
		touch.Message.Subject, touch.Message.HTML, touch.Message.Text = subject, html, text
		v := JudgeContent(touch, p, b)
		if v.Outcome == lifecycle.Allow && !strings.Contains(text, touch.Message.UnsubscribeURL) {
			t.Fatalf("allowed without an unsubscribe link: %+v", v)
		}
		for _, r := range catalogue {
			if r.Content {
				r.Check(touch, p, b) // also without the message read before
			}
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	p, br := DefaultPolicy(), brand.Example()
	touch := good()
	offering("ten-percent", "Take 10% off with code TAKE10, until October 28")(&touch)
	earlier(lifecycle.TouchDelivered, 50*time.Hour, 300*time.Hour)(&touch)
	touch.Creative.Status = lifecycle.CreativeApproved // as every creative that is sent
	for len(touch.Message.HTML) < 4096 {
		touch.Message.HTML = strings.Replace(touch.Message.HTML, "</body>", `<table width="600" cellpadding="0"><tr><td style="padding:8px 0;color:#333">A quiet corner and a good chair.</td></tr></table></body>`, 1)
	}
	if v := Judge(touch, p, br); v.Outcome != lifecycle.Allow {
		b.Fatalf("%+v", v)
	}
	b.Run("everything", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Judge(touch, p, br)
		}
	})
	touch.ContentJudged = true
	b.Run("content judged before", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Judge(touch, p, br)
		}
	})
}

// The signature of the unsubscribe link is no claim, whatever it spells; the same
// letters in any other link are.
func TestUnsubscribeTokenIsNoClaim(t *testing.T) {
	t.Parallel()
	p, b := DefaultPolicy(), brand.Example()
	judge := func(link string) lifecycle.Verdict {
		touch := good()
		touch.Message.UnsubscribeURL = "https://shop.example/u/-9BRl-50USD"
		touch.Message.HTML = strings.ReplaceAll(touch.Message.HTML, "https://shop.example/u/abc123", touch.Message.UnsubscribeURL)
		touch.Message.Text = strings.ReplaceAll(touch.Message.Text, "https://shop.example/u/abc123", touch.Message.UnsubscribeURL) + link
		return Judge(touch, p, b)
	}
	if v := judge(""); v.Outcome != lifecycle.Allow {
		t.Errorf("%+v", v)
	}
	if v := judge(" https://shop.example/get-50USD-now"); v.Outcome != lifecycle.Block {
		t.Errorf("a claim in another link: %+v", v)
	}
}
