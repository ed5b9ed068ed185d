package onebox_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"touchstone/internal/control"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// browser is a headless Chromium with one page open. What the page writes to its
// console, and what its content security policy refuses, fails the test.
type browser struct {
	*testing.T
	ctx context.Context
	url string
}

// openBrowser starts a browser, or skips the test where there is none.
func openBrowser(t *testing.T, url string) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium in the path: install it to click through the console")
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), flags...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	b := &browser{T: t, ctx: ctx, url: url}
	b.do(chromedp.EmulateViewport(1280, 900))
	go func() {
		for message, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			t.Errorf("the page says in its console: %s", message)
		}
	}()
	return b
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body"))) // to say where it stopped, if it can
		b.Fatalf("%v on the page\n%s", err, text)
	}
}

func (b *browser) goTo(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

func (b *browser) click(css string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(css)))
}

// press sends keys to whatever has the focus.
func (b *browser) press(keys string) {
	b.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// sees waits until the page shows words.
func (b *browser) sees(words string) {
	b.Helper()
	var text string
	eventually(b.T, 20*time.Second, func() string { return "to see " + words + " on the page\n" + text }, func() (_ bool, err error) {
		text, err = chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		return strings.Contains(strings.Join(strings.Fields(text), " "), words), err
	})
}

// is evaluates a condition in the page.
func (b *browser) is(condition string) bool {
	b.Helper()
	yes, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
	must(b.T, err)
	return yes
}

// shot takes pictures of a page in both themes and at a phone's width, into the
// folder that TOUCHSTONE_SCREENSHOTS names, and wants no sideways scrolling.
func (b *browser) shot(name string) {
	b.Helper()
	for _, view := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1280}, {"dark", "dark", 1280}, {"phone", "light", 390}} {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: view.scheme}}})
		must(b.T, err)
		b.do(chromedp.EmulateViewport(view.width, 900), chromedp.Sleep(250*time.Millisecond))
		if b.is(`document.documentElement.scrollWidth > window.innerWidth`) {
			b.Errorf("%s scrolls sideways in view %s", name, view.name)
		}
		if folder := os.Getenv("TOUCHSTONE_SCREENSHOTS"); folder != "" {
			picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			must(b.T, err)
			must(b.T, os.WriteFile(filepath.Join(folder, name+"-"+view.name+".png"), picture, 0o600))
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}

// TestConsoleInABrowser clicks through a reviewer's and a marketer's main tasks:
// sign in by the link, approve copy with the keyboard, edit other copy, find a
// customer, pause a journey and resume it, verify the log, sign out.
func TestConsoleInABrowser(t *testing.T) {
	h := open(t)
	t.Parallel()
	name := unique("console")
	ids := h.customers(t, name, "ada", 3)
	h.store(t, name, own)
	h.campaign(t, control.Campaign{Name: name, Journey: name})
	item := h.awaiting(t, name)[0]
	link, err := h.SignInLink(t.Context())
	must(t, err)

	b := openBrowser(t, h.Config.Console.PublicURL)
	b.goTo("/reviews/" + string(item.ID))
	b.sees("Sign in")
	b.shot("signin")
	b.do(chromedp.Navigate(link))
	b.click("button")
	b.sees("Revenue per marketing touch")
	b.sees("Metrics")
	eventually(t, 10*time.Second, say("two charts"), func() (bool, error) {
		return chromedp.Run(b.ctx, chromedp.Evaluate[bool](`document.querySelectorAll(".plot canvas").length === 2`))
	})
	b.shot("overview")

	b.goTo("/reviews/" + string(item.ID))
	b.sees("As a made-up customer would read it")
	b.shot("review")
	b.press("a")
	b.sees("Approve this copy?")
	if !b.is(`document.activeElement.textContent === "Approve"`) {
		t.Error("the dialog does not begin at its button")
	}
	b.shot("approve")
	b.press("\r")
	b.sees("Approved. What waited for this review goes on.")
	decided, err := h.Store.Review(t.Context(), item.ID)
	must(t, err)
	if decided.Status != lifecycle.ReviewApproved || decided.DecidedBy != "local admin" {
		t.Errorf("the review is %+v", decided)
	}
	h.ended(t, name, 3, 40*time.Second)

	b.goTo("/customers")
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), name+"-00"))
	b.sees(ids[1])
	b.shot("customers")
	b.do(chromedp.SendKeys(chromedp.CSS("#q"), "1\r"))
	b.sees("entered")
	b.sees("Times are business time on the customer's clock")
	b.sees("email " + name + "/note sending, accepted")
	b.shot("customer")

	b.goTo("/journeys/" + name)
	b.sees("Where everybody is")
	b.shot("journey")
	b.click(`[data-opens="stop-journey"]`)
	b.do(chromedp.SendKeys(chromedp.CSS("#stop-journey [name=reason]"), "prices are wrong\r"))
	b.sees("Paused. Everybody keeps their place.")
	b.sees("Journey " + name + " is paused")
	b.shot("paused")
	if state := h.controlOf(t, name); state != ledger.ControlPaused {
		t.Errorf("the journey is %s", state)
	}
	b.click(`.banner.paused form button`)
	b.sees("Resumed.")
	if state := h.controlOf(t, name); state != ledger.ControlRunning {
		t.Errorf("the journey is %s", state)
	}
	for _, page := range []string{"/rollout", "/campaigns", "/campaigns/" + name, "/reviews/decided", "/guardrails", "/journeys"} {
		b.goTo(page)
		b.shot(strings.ReplaceAll(strings.Trim(page, "/"), "/", "-"))
	}
	b.goTo("/audit")
	b.click(".proof button")
	b.sees("entries verified")
	b.shot("audit")
	b.is(`(document.querySelector("[data-theme-choice]").value = "dark", document.querySelector("[data-theme-choice]").dispatchEvent(new Event("change")))`)
	b.goTo("/rollout")
	if !b.is(`document.documentElement.dataset.theme === "dark"`) {
		t.Error("the theme is forgotten")
	}
	b.click(".me form button")
	b.sees("Sign in")
}

// TestConsoleEditInABrowser: an edit by keyboard makes the editor the author,
// who is then not offered to approve it; j and k move through the queue.
func TestConsoleEditInABrowser(t *testing.T) {
	h := open(t)
	t.Parallel()
	name := unique("console-edit")
	h.customers(t, name, "ada", 1)
	h.store(t, name, own)
	h.campaign(t, control.Campaign{Name: name, Journey: name})
	item := h.awaiting(t, name)[0]
	link, err := h.SignInLink(t.Context())
	must(t, err)
	b := openBrowser(t, h.Config.Console.PublicURL)
	b.do(chromedp.Navigate(link))
	b.click("button")
	b.sees("Revenue per marketing touch")
	b.goTo("/reviews/" + string(item.ID))
	b.sees("As a made-up customer would read it")
	b.press("e")
	b.sees("Edit " + name + "/note")
	b.shot("edit")
	b.do(chromedp.SetValue(chromedp.CSS("[name=subject]"), "A quieter week at home"), chromedp.Click(chromedp.CSS(".edit .primary")))
	b.sees("Edited. You are now the author")
	b.sees("You wrote this copy: somebody else has to approve it.")
	if b.is(`document.querySelector("[data-key=a]") !== null`) {
		t.Error("the author is offered to approve")
	}
	b.press("r")
	b.sees("Reject this copy?")
	b.do(chromedp.SendKeys(chromedp.CSS("#reject [name=note]"), "not this week\r"))
	b.sees("Rejected.")
	decided, err := h.Store.Review(t.Context(), item.ID)
	must(t, err)
	if decided.Status != lifecycle.ReviewRejected || decided.Note != "not this week" {
		t.Errorf("the review is %+v", decided)
	}
}

func (h *house) controlOf(t *testing.T, journey string) ledger.ControlState {
	t.Helper()
	controls, err := h.Store.Controls(t.Context())
	must(t, err)
	for _, c := range controls {
		if c.Scope == ledger.ScopeJourney && c.Name == journey {
			return c.State
		}
	}
	return ledger.ControlRunning
}
