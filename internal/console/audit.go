package console

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
)

// logShown is how many entries of the decision log a page shows.
const logShown = 50

// auditView is a page of the decision log.
type auditView struct {
	Everything bool
	Kind       string
	Customer   string // external id, as it was asked for
	Kinds      []string
	Entries    []logRow
	Older      template.URL // of the next page
	Proof      result[ledger.VerifyReport]
}

// logRow is an entry with its body laid out for reading.
type logRow struct {
	postgres.LogEntry
	Body string
}

func (s *Server) auditPage(c *call) error {
	q := c.r.URL.Query()
	v := auditView{Everything: q.Has("all"), Kind: q.Get("kind"), Customer: strings.TrimSpace(q.Get("customer")), Proof: s.proof.of(struct{}{}).get(0)}
	in := postgres.LogQuery{Kind: v.Kind, People: !v.Everything, Limit: logShown}
	var err error
	if in.Before, err = sequence(q.Get("before")); err != nil {
		return err
	}
	if in.BeforeAt, err = instantOf(q.Get("at")); err != nil {
		return err
	}
	if v.Customer != "" {
		if in.Customer, err = s.customerOf(c, v.Customer); err != nil {
			return err
		}
	}
	if v.Kinds, err = s.Store.LogKinds(c.ctx()); err != nil {
		return err
	}
	entries, err := s.Store.Log(c.ctx(), in)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		v.Entries = append(v.Entries, logRow{entry, laidOut(entry.Body)})
	}
	if len(entries) == logShown {
		last := entries[len(entries)-1]
		q.Set("before", strconv.FormatInt(last.Seq, 10))
		q.Set("at", last.At.Format(time.RFC3339Nano))
		v.Older = template.URL("/audit?" + q.Encode()) // encoded here, from values that were
	}
	return s.show(c, http.StatusOK, "audit", page{Title: "Audit", Section: "audit", Data: v})
}

// customerOf finds a customer by an id: e-mail addresses do not belong in the
// address of a page.
func (s *Server) customerOf(c *call, id string) (lifecycle.CustomerID, error) {
	if uuid.Validate(id) == nil {
		return lifecycle.CustomerID(strings.ToLower(id)), nil
	}
	found, err := s.Store.CustomerIDs(c.ctx(), []string{id})
	if err != nil {
		return "", err
	}
	if found[id] == "" {
		return "", lifecycle.Errorf(lifecycle.NotFound, "there is no customer with the external id %s", shorten(60, id))
	}
	return found[id], nil
}

func sequence(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, lifecycle.Errorf(lifecycle.Invalid, "%q is not the number of an entry", shorten(20, text))
	}
	return n, nil
}

// laidOut indents JSON; what is none is shown as it is.
func laidOut(body []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		return string(body)
	}
	return out.String()
}

// verify recomputes the hash chain in the background; the page shows how it went.
func (s *Server) verify(c *call) error {
	s.proof.of(struct{}{}).again()
	to := url.URL{Path: "/audit", Fragment: "proof"}
	return c.goTo(to.String())
}
