package console

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres"
	"touchstone/internal/story"
)

// customersShown is how many customers a search shows.
const customersShown = 20

type customersView struct {
	Query  string
	Found  []postgres.CustomerRef
	Asked  bool
	Capped bool
}

func (s *Server) customersPage(c *call) error {
	return s.show(c, http.StatusOK, "customers", page{Title: "Customers", Section: "customers", Data: customersView{}})
}

// findCustomer looks for a customer. The words come in the body: an address in
// the URL would stay in browser histories and proxy logs.
func (s *Server) findCustomer(c *call) error {
	v := customersView{Query: shorten(200, strings.TrimSpace(c.r.PostFormValue("q"))), Asked: true}
	if v.Query != "" {
		customer, err := s.Store.FindCustomer(c.ctx(), v.Query)
		if err != nil && lifecycle.CodeOf(err) != lifecycle.NotFound {
			return err
		}
		if err == nil && c.r.Header.Get("HX-Request") == "" {
			return c.goTo("/customers/" + string(customer.ID))
		}
		if v.Found, err = s.Store.CustomersFrom(c.ctx(), v.Query, customersShown+1); err != nil {
			return err
		}
		if len(v.Found) == 0 && customer.ID != "" { // by our id or e-mail address
			v.Found = []postgres.CustomerRef{{ID: customer.ID, ExternalID: customer.ExternalID}}
		}
		if len(v.Found) > customersShown {
			v.Found, v.Capped = v.Found[:customersShown], true
		}
	}
	return s.show(c, http.StatusOK, "customers", page{Title: "Customers", Section: "customers", Data: v})
}

// customerView is one customer's story.
type customerView struct {
	Customer   lifecycle.Customer
	Story      story.Story
	Chapters   []chapter
	Outside    []story.Moment
	Statements []lifecycle.ConsentRecord // the consent history, the latest first
	Earlier    int                       // moments outside journeys that are not shown
	Temporal   string
}

// chapter is one run with what a reader is not told by its heading.
type chapter struct {
	story.Chapter
	Moments []story.Moment
}

// outsideShown is how many moments outside journeys are shown without all.
const outsideShown = 20

func (s *Server) customerPage(c *call) error {
	id := c.r.PathValue("id")
	missing := lifecycle.Errorf(lifecycle.NotFound, "there is no customer %s: look for the external id", shorten(40, id))
	if uuid.Validate(id) != nil {
		return missing
	}
	customer, err := s.Store.FindCustomer(c.ctx(), id)
	if lifecycle.CodeOf(err) == lifecycle.NotFound {
		return missing
	}
	if err != nil {
		return err
	}
	told, err := story.Read(c.ctx(), s.Store, customer, s.Brand, s.Clock.Now())
	if err != nil {
		return err
	}
	v := customerView{Customer: customer, Story: told, Outside: story.Orders(told.Outside), Temporal: s.temporalList("`Customer`=" + quoted(id))}
	if v.Statements, err = s.statements(c, customer.ID); err != nil {
		return err
	}
	for i := len(told.Runs) - 1; i >= 0; i-- { // the latest first
		v.Chapters = append(v.Chapters, chapter{told.Runs[i], story.Digest(told.Runs[i].Moments)})
	}
	if len(v.Outside) > outsideShown && !c.r.URL.Query().Has("all") {
		v.Earlier = len(v.Outside) - outsideShown
		v.Outside = v.Outside[v.Earlier:]
	}
	return s.show(c, http.StatusOK, "customer", page{Title: customer.ExternalID, Section: "customers", Data: v})
}
