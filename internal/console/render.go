package console

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/story"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static
var staticEmbedded embed.FS

// templates are the pages, each with the frame around it. One that does not
// parse is a mistake in this program.
var templates = parsePages()

func parsePages() map[string]*template.Template {
	frame := template.Must(template.New("frame.html").Funcs(functions).ParseFS(pageFiles, "pages/frame.html", "pages/parts.html"))
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		panic(err)
	}
	pages := map[string]*template.Template{}
	for _, name := range names {
		page := strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".html")
		if page != "frame" && page != "parts" {
			pages[page] = template.Must(template.Must(frame.Clone()).ParseFS(pageFiles, name))
		}
	}
	return pages
}

// functions are what pages call.
var functions = template.FuncMap{
	"number":   number,
	"money":    func(m lifecycle.Money) string { return amountOf(m.Major(), m.Currency) },
	"amount":   amountOf,
	"percent":  percent,
	"when":     when,
	"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"age":      age,
	"hash":     func(s string) string { return s[:min(12, len(s))] },
	"ending":   ending,
	"words":    words,
	"finding":  story.Finding,
	"shorten":  shorten,
	"json":     inAttribute,
	"segment":  url.PathEscape,
	"dict":     dict,
	"can":      func(u access.User, p string) bool { return u.Role.May(access.Permission(p)) },
	"initials": initials,
	"decimal": func(v any, currency string) (string, error) {
		switch v := v.(type) {
		case *float64:
			return decimalOf(*v, currency), nil
		case float64:
			return decimalOf(v, currency), nil
		}
		return "", fmt.Errorf("decimal of %T", v)
	},
	"sum":        func(a, b int) int { return a + b },
	"barWidth":   func(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) },
	"daySeconds": func(speed float64) float64 { return 86400 / speed },
}

// dict makes a map of pairs, for parts that take several values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict takes pairs, not %d values", len(pairs))
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: key %v is not text", pairs[i])
		}
		m[key] = pairs[i+1]
	}
	return m, nil
}

// inAttribute is a value as JSON, which the template escapes for its place.
func inAttribute(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// page is what the frame shows around a page.
type page struct {
	Title   string
	Section string // of the navigation
	Data    any
	Done    string // what an act has just done, in words

	User     access.User
	Brand    string
	Now      time.Time // business time
	Speed    float64   // business seconds per real second, when scaled
	Stopped  []ledger.Control
	Awaiting int
	Links    links
	Path     string
}

// links lead to the other pages of a running system; empty ones are not shown.
type links struct {
	Temporal string // the namespace's workflows
	Mailbox  string
}

// show renders a page in its frame. It is rendered whole before anything is
// sent, so that a failure still has a status.
func (s *Server) show(c *call, status int, name string, p page) error {
	if c.user.ID != "" {
		if err := s.frame(c, &p); err != nil {
			return err
		}
	}
	p.Brand = s.Brand.Name
	var out bytes.Buffer
	if err := templates[name].ExecuteTemplate(&out, "frame.html", p); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	c.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(out.Bytes()) // the browser may have gone
	return nil
}

// frame reads what stands around every page.
func (s *Server) frame(c *call, p *page) error {
	controls, err := s.Store.Controls(c.ctx())
	if err != nil {
		return err
	}
	for _, one := range controls {
		if one.State != ledger.ControlRunning {
			p.Stopped = append(p.Stopped, one)
		}
	}
	if p.Awaiting, err = s.Store.AwaitingReviews(c.ctx()); err != nil {
		return err
	}
	p.User, p.Now, p.Path, p.Done = c.user, s.Clock.Now(), c.r.URL.RequestURI(), done[c.r.URL.Query().Get("done")]
	if s.Clock.Scale.Scaled() {
		p.Speed = s.Clock.Scale.Factor
	}
	p.Links = links{Temporal: s.temporal(""), Mailbox: s.Settings.Console.Mailbox}
	return nil
}

// done is what acts say on the page that they lead to, by the word in its URL.
var done = map[string]string{
	"approved": "Approved. What waited for this review goes on.",
	"rejected": "Rejected. What waited for this review is not sent.",
	"edited":   "Edited. You are now the author: somebody else has to approve it.",
	"paused":   "Paused. Everybody keeps their place.",
	"halted":   "Halted. Nothing of it is sent until somebody resumes it.",
	"resumed":  "Resumed. Nothing is sent twice, and nothing was dropped.",
}

// temporal is the address of a workflow in the Temporal UI, of all workflows
// for an empty id; empty where no UI is configured.
func (s *Server) temporal(workflow string) string {
	if s.Settings.Temporal.UIURL == "" {
		return ""
	}
	at := strings.TrimSuffix(s.Settings.Temporal.UIURL, "/") + "/namespaces/" + url.PathEscape(s.Settings.Temporal.Namespace) + "/workflows"
	if workflow != "" {
		at += "/" + url.PathEscape(workflow)
	}
	return at
}

// temporalList is the address of a list of workflows in the Temporal UI.
func (s *Server) temporalList(query string) string {
	if at := s.temporal(""); at != "" {
		return at + "?query=" + url.QueryEscape(query)
	}
	return ""
}

// staticFiles serves scripts and styles. Their addresses do not change with
// their content, so browsers ask again each time and get a short answer.
func staticFiles() (http.Handler, error) {
	tags, err := contentTags()
	if err != nil {
		return nil, err
	}
	files := http.FileServerFS(staticEmbedded)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tag, known := tags[strings.TrimPrefix(r.URL.Path, "/")]
		if !known {
			http.NotFound(w, r) // no listings of folders either
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		w.Header().Set("ETag", tag)
		files.ServeHTTP(w, r)
	}), nil
}
