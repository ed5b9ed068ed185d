package console

import (
	"net/http"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
)

// requestsShown is how many privacy requests a page shows.
const requestsShown = 100

type privacyView struct {
	Requests []ledger.PrivacyRequest
	Open     int
}

// privacyPage lists requests to export and erase. They hold ids only.
func (s *Server) privacyPage(c *call) error {
	requests, err := s.Store.PrivacyRequests(c.ctx(), requestsShown)
	if err != nil {
		return err
	}
	v := privacyView{Requests: requests}
	for _, r := range requests {
		if r.DoneAt.IsZero() && r.Kind == ledger.PrivacyErase {
			v.Open++
		}
	}
	return s.show(c, http.StatusOK, "privacy", page{Title: "Privacy requests", Section: "customers", Data: v})
}

// statements are a customer's consent history for the page, the latest first.
func (s *Server) statements(c *call, id lifecycle.CustomerID) ([]lifecycle.ConsentRecord, error) {
	records, err := s.Store.ConsentHistory(c.ctx(), id)
	for i, j := 0, len(records)-1; i < j; i, j = i+1, j-1 {
		records[i], records[j] = records[j], records[i]
	}
	return records, err
}
