package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"touchstone/internal/access"
	"touchstone/internal/lifecycle"
	"touchstone/internal/web"
)

// public is the permission of pages that need no sign-in.
const public access.Permission = ""

// route is one page or act, with what a user needs for it.
type route struct {
	pattern string
	needs   access.Permission
	answer  func(*Server, *call) error
}

// routes is every door of the console but the static files. Roles are checked
// here and nowhere else; what a page leaves out for a role is courtesy.
var routes = []route{
	{"GET /signin", public, (*Server).signInPage},
	{"POST /signin", public, (*Server).signIn},
	{"GET /signin/{code}", public, (*Server).linkPage},
	{"POST /signin/{code}", public, (*Server).takeLink},
	{"POST /signin/openid", public, (*Server).beginOpenID},
	{"GET /signin/openid/callback", public, (*Server).endOpenID},
	{"GET /healthz", public, (*Server).healthz},
	{"POST /signout", access.See, (*Server).signOut},

	{"GET /{$}", access.See, (*Server).overviewPage},
	{"GET /rollout", access.See, (*Server).rolloutPage},
	{"GET /journeys", access.See, (*Server).journeysPage},
	{"GET /journeys/{name}", access.See, (*Server).journeyPage},
	{"GET /campaigns", access.See, (*Server).campaignsPage},
	{"GET /campaigns/{name}", access.See, (*Server).campaignPage},
	{"GET /campaigns/{name}/progress", access.See, (*Server).campaignProgress},
	{"POST /controls/stop", access.Stop, (*Server).stopSending},
	{"POST /controls/resume", access.Start, (*Server).resumeSending},

	{"GET /reviews", access.See, (*Server).reviewsPage},
	{"GET /reviews/decided", access.See, (*Server).decidedPage},
	{"GET /reviews/{id}", access.See, (*Server).reviewsPage},
	{"GET /reviews/{id}/sample", access.See, (*Server).reviewSample},
	{"POST /reviews/{id}/approve", access.Decide, (*Server).approve},
	{"POST /reviews/{id}/reject", access.Decide, (*Server).reject},
	{"GET /reviews/{id}/edit", access.Write, (*Server).editPage},
	{"POST /reviews/{id}/edit", access.Write, (*Server).edit},

	{"GET /customers", access.SeePeople, (*Server).customersPage},
	{"POST /customers", access.SeePeople, (*Server).findCustomer},
	{"GET /customers/{id}", access.SeePeople, (*Server).customerPage},
	{"GET /privacy", access.SeePeople, (*Server).privacyPage},

	{"GET /guardrails", access.See, (*Server).guardrailsPage},
	{"GET /audit", access.Prove, (*Server).auditPage},
	{"POST /audit/verify", access.Prove, (*Server).verify},
}

// call is one request of one person.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	user access.User // zero where nobody has signed in
}

func (c *call) ctx() context.Context { return c.r.Context() }

// goTo sends the browser to a path of this console, or to the identity provider.
// Callers pass nothing that came with the request, except through local.
func (c *call) goTo(path string) error {
	c.w.Header().Set("Location", path)
	c.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// routed makes the handler of all routes.
func (s *Server) routed() (http.Handler, error) {
	mux := http.NewServeMux()
	files, err := staticFiles()
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /static/", files)
	for _, r := range routes {
		mux.Handle(r.pattern, s.door(r))
	}
	mux.Handle("GET /", s.door(route{"GET /", access.See, func(*Server, *call) error {
		return lifecycle.Errorf(lifecycle.NotFound, "there is no such page")
	}}))
	return s.secured(mux), nil
}

// door checks who asks and answers, with a time limit and the answer to errors
// and panics. Paths are not logged: sign-in links stand in them.
func (s *Server) door(r route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), web.RequestTime)
		defer cancel()
		c := &call{w: w, r: req.WithContext(ctx)}
		defer func() {
			if p := recover(); p != nil {
				s.Log.Error("request panicked", "route", r.pattern, "panic", fmt.Sprint(p))
				s.fail(c, r, lifecycle.Errorf(lifecycle.Internal, "this page has failed; the log says why"))
			}
		}()
		if err := s.enter(c, r); err != nil {
			s.fail(c, r, err)
		}
	})
}

// enter checks the session and the role, then answers.
func (s *Server) enter(c *call, r route) error {
	user, err := s.signedIn(c)
	if err != nil {
		return err
	}
	c.user = user
	switch {
	case r.needs == public:
	case user.ID == "":
		return s.toSignIn(c)
	case !user.Role.May(r.needs):
		return lifecycle.Errorf(lifecycle.Forbidden, "your role is %s, and this needs another: ask an admin", user.Role)
	}
	if c.r.Method == http.MethodPost {
		if err := c.r.ParseForm(); err != nil {
			return lifecycle.Errorf(lifecycle.Invalid, "the form cannot be read, or is larger than %d kB", bodyLimit>>10)
		}
	}
	return r.answer(s, c)
}

// toSignIn asks somebody without a session to sign in, and to come back.
func (s *Server) toSignIn(c *call) error {
	target := "/signin"
	if c.r.Method == http.MethodGet && c.r.Header.Get("HX-Request") == "" && c.r.URL.Path != "/" {
		target += "?next=" + url.QueryEscape(c.r.URL.RequestURI())
	}
	if c.r.Header.Get("HX-Request") != "" {
		c.w.Header().Set("HX-Redirect", target)
		c.w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	return c.goTo(target)
}

// statusOf says what an error is in HTTP.
var statusOf = map[lifecycle.Code]int{
	lifecycle.Invalid: http.StatusBadRequest, lifecycle.NotFound: http.StatusNotFound, lifecycle.Conflict: http.StatusConflict,
	lifecycle.Forbidden: http.StatusForbidden, lifecycle.Unavailable: http.StatusServiceUnavailable, lifecycle.RateLimited: http.StatusTooManyRequests,
}

// fail answers an error with a page. What nobody planned for stays in the log.
func (s *Server) fail(c *call, r route, err error) {
	code := lifecycle.CodeOf(err)
	status, known := statusOf[code]
	message := err.Error()
	if !known {
		status, message = http.StatusInternalServerError, "something went wrong here; the log says what"
	}
	if status >= http.StatusInternalServerError {
		s.Log.Error("request failed", "route", r.pattern, "code", string(code), "error", err.Error())
	}
	if err := s.show(c, status, "error", page{Title: "Not done", Data: errorView{Status: status, Message: message, Back: back(c)}}); err != nil {
		s.Log.Error("show an error", "route", r.pattern, "error", err.Error())
	}
}

type errorView struct {
	Status  int
	Message string
	Back    string
}

// back is the page of this console that the person came from.
func back(c *call) string {
	from, err := url.Parse(c.r.Referer())
	if err != nil || from.Host != c.r.Host {
		return "/"
	}
	return local(from.RequestURI())
}

// healthz says that the process runs; it asks nobody.
func (s *Server) healthz(c *call) error {
	c.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := c.w.Write([]byte("ok\n"))
	return err
}

// instantOf reads an instant from a query parameter; zero when there is none.
func instantOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, lifecycle.Errorf(lifecycle.Invalid, "%q is not an instant", text)
	}
	return t, nil
}
