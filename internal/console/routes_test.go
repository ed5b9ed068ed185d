package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"touchstone/internal/access"
)

// doors says for every route which roles it opens to, independently of the
// table in routes.go: v, m, r, a for viewer, marketer, reviewer, admin, and *
// for everybody, signed in or not.
var doors = map[string]string{
	"GET /signin": "*", "POST /signin": "*", "GET /signin/{code}": "*", "POST /signin/{code}": "*",
	"POST /signin/openid": "*", "GET /signin/openid/callback": "*", "GET /healthz": "*", "POST /signout": "vmra",
	"GET /{$}": "vmra", "GET /rollout": "vmra", "GET /journeys": "vmra", "GET /journeys/{name}": "vmra",
	"GET /campaigns": "vmra", "GET /campaigns/{name}": "vmra", "GET /campaigns/{name}/progress": "vmra",
	"POST /controls/stop": "mra", "POST /controls/resume": "ma",
	"GET /reviews": "vmra", "GET /reviews/decided": "vmra", "GET /reviews/{id}": "vmra", "GET /reviews/{id}/sample": "vmra",
	"POST /reviews/{id}/approve": "ra", "POST /reviews/{id}/reject": "ra", "GET /reviews/{id}/edit": "mra", "POST /reviews/{id}/edit": "mra",
	"GET /customers": "mra", "POST /customers": "mra", "GET /customers/{id}": "mra", "GET /privacy": "mra",
	"GET /guardrails": "vmra", "GET /audit": "mra", "POST /audit/verify": "mra",
}

// at puts what exists into a route's pattern.
func (h *house) at(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	name := "winback"
	if strings.Contains(path, "campaigns") {
		name = "spring"
	}
	id := string(h.review.ID)
	if strings.Contains(path, "customers") {
		id = string(h.customer)
	}
	return method, strings.NewReplacer("{$}", "", "{name}", name, "{id}", id, "{code}", "unknown").Replace(path)
}

// TestEveryRouteForEveryRole walks all routes as everybody.
func TestEveryRouteForEveryRole(t *testing.T) {
	t.Parallel()
	h := setup(t)
	if len(doors) != len(routes) {
		t.Errorf("%d routes, %d are expected", len(routes), len(doors))
	}
	letters := map[access.Role]string{access.Viewer: "v", access.Marketer: "m", access.Reviewer: "r", access.Admin: "a"}
	for _, r := range routes {
		open, known := doors[r.pattern]
		if !known {
			t.Errorf("nobody said who may use %s", r.pattern)
			continue
		}
		method, path := h.at(r.pattern)
		a := h.browser().do(method, path, nil, nil)
		if open == "*" {
			if strings.HasPrefix(a.header.Get("Location"), "/signin") || a.status >= http.StatusInternalServerError {
				t.Errorf("%s asks everybody to sign in, or fails: %d", r.pattern, a.status)
			}
			continue
		}
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/signin") {
			t.Errorf("%s lets strangers in: %d %s", r.pattern, a.status, a.header.Get("Location"))
		}
		for role, letter := range letters {
			a := h.as(role).do(method, path, url.Values{}, nil)
			refused := a.status == http.StatusForbidden
			if may := strings.Contains(open, letter); refused == may || a.status >= http.StatusInternalServerError {
				t.Errorf("%s for a %s: status %d, may be used: %v", r.pattern, role, a.status, may)
			}
		}
	}
	h.as(access.Admin).get("/nowhere").is(http.StatusNotFound).says("there is no such page")
	h.browser().get("/nowhere").leads("/signin?next=%2Fnowhere")
}

// pages are all pages that an admin can look at.
func (h *house) pages() []string {
	paths := []string{"/audit?all", "/audit?kind=touch.blocked", "/?period=28d"}
	for _, r := range routes {
		method, path := h.at(r.pattern)
		if method == http.MethodGet && r.needs != public && !strings.HasSuffix(path, "/sample") {
			paths = append(paths, path)
		}
	}
	return paths
}

var (
	inlineStyle  = regexp.MustCompile(`(?i)<style|<[a-z][^>]*\sstyle\s*=`)
	inlineScript = regexp.MustCompile(`(?i)<script(?:>|\s[^>]*>)[^<]|<[a-z][^>]*\son[a-z]+\s*=|javascript:`)
	element      = regexp.MustCompile(`(?i)<(input|select|textarea)\b[^>]*>`)
)

// TestPagesKeepThePolicy: every page is served with the strict policy, and holds
// nothing that the policy would refuse.
func TestPagesKeepThePolicy(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Admin)
	for _, path := range append(h.pages(), "/signin") {
		a := b.get(path)
		policy := a.header.Get("Content-Security-Policy")
		if policy != contentPolicy || strings.Contains(policy, "unsafe") || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: headers %v", path, a.header)
		}
		if found := inlineStyle.FindString(a.body) + inlineScript.FindString(a.body); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
		if strings.Contains(a.body, "ZgotmplZ") {
			t.Errorf("%s holds a value that its template refused", path)
		}
	}
	sample := b.get("/reviews/" + string(h.review.ID) + "/sample").is(http.StatusOK)
	if policy := sample.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "sandbox; default-src 'none'") || strings.Contains(policy, "script-src") {
		t.Errorf("the sample's policy is %q", policy)
	}
}

// TestPagesAreAccessible: one h1, a caption for every table, a label for every
// field, a title, a language, and the skip link.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Admin)
	for _, path := range h.pages() {
		body := b.settled(path).body
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s has %d first headings", path, n)
		}
		if tables, captions := strings.Count(body, "<table"), strings.Count(body, "<caption"); tables != captions {
			t.Errorf("%s has %d tables and %d captions", path, tables, captions)
		}
		for _, want := range []string{`<html lang="en">`, `class="skip"`, `<main id="content"`, "<title>"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %s", path, want)
			}
		}
		for _, field := range element.FindAllStringIndex(body, -1) {
			tag := body[field[0]:field[1]]
			inLabel := strings.LastIndex(body[:field[0]], "<label") > strings.LastIndex(body[:field[0]], "</label>")
			if !strings.Contains(tag, "hidden") && !inLabel && !strings.Contains(body, `for="q"`) {
				t.Errorf("%s has a field without a label: %s", path, tag)
			}
		}
	}
}

// TestOtherSitesCannotAct: what another site's page makes a browser send is
// refused, signed in or not.
func TestOtherSitesCannotAct(t *testing.T) {
	t.Parallel()
	h := setup(t)
	b := h.as(access.Admin)
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}} {
		b.do(http.MethodPost, "/controls/stop", url.Values{"scope": {"global"}, "state": {"halted"}, "reason": {"x"}}, header).is(http.StatusForbidden)
	}
	controls, err := h.store.Controls(t.Context())
	if h.must(err); len(controls) > 0 {
		t.Errorf("another site stopped %+v", controls)
	}
	b.do(http.MethodPost, "/controls/stop", url.Values{"scope": {"global"}, "state": {"halted"}, "reason": {"x"}}, http.Header{"Sec-Fetch-Site": {"same-origin"}}).leads("/?done=halted")
	b.post("/controls/resume", url.Values{"scope": {"global"}, "name": {strings.Repeat("x", bodyLimit)}}).is(http.StatusBadRequest)
}

// TestStatic: files are served with a tag, folders and their parents are not.
func TestStatic(t *testing.T) {
	t.Parallel()
	b := setup(t).browser()
	a := b.get("/static/console.css").is(http.StatusOK)
	b.do(http.MethodGet, "/static/console.css", nil, http.Header{"If-None-Match": {a.header.Get("ETag")}}).is(http.StatusNotModified)
	for _, path := range []string{"/static/", "/static/vendor/", "/static/vendor", "/static/nothing.js"} {
		b.get(path).is(http.StatusNotFound)
	}
}
