package people

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Customer is one row of the customers file.
type Customer struct {
	ExternalID string
	Email      string
	FirstName  string
	LastName   string
	Phone      string
	Country    string
	Region     string
	TimeZone   string
	CreatedAt  time.Time
	Consent    string // e-mail: granted, withdrawn or unknown
	ConsentAt  time.Time
}

// Order is one row of the orders file.
type Order struct {
	OrderID    string
	ExternalID string
	At         time.Time
	Total      int64 // minor units
	Currency   string
	Items      int
	FirstItem  string
}

// History is the past of the population up to the start of the season, oldest
// first. It is made by the same daily model as the season.
type History struct {
	Customers []Customer
	Orders    []Order
}

// History generates the last days before the start; customers who signed up
// earlier are listed too, their earlier orders are not.
func (p *Population) History(days int) History {
	var h History
	for i := range p.people {
		person := &p.people[i]
		if !person.CreatedAt.Before(p.opts.Start) {
			continue
		}
		h.Customers = append(h.Customers, Customer{
			ExternalID: person.ExternalID, Email: person.Email, FirstName: person.FirstName, LastName: person.LastName, Phone: person.Phone,
			Country: person.Country, Region: person.Region, TimeZone: person.TimeZone, CreatedAt: person.CreatedAt,
			Consent: person.Consent, ConsentAt: person.CreatedAt,
		})
		for number := -days; number < 0; number++ {
			for _, a := range person.daily(p.opts.Seed, p.opts.Start, number) {
				if a.kind == actOrder && a.at.Before(p.opts.Start) {
					h.Orders = append(h.Orders, Order{OrderID: a.order, ExternalID: person.ExternalID, At: a.at, Total: a.value,
						Currency: p.opts.Currency, Items: len(a.goods), FirstItem: a.goods[0].Name})
				}
			}
		}
	}
	slices.SortStableFunc(h.Customers, func(a, b Customer) int { return a.CreatedAt.Compare(b.CreatedAt) })
	slices.SortStableFunc(h.Orders, func(a, b Order) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.OrderID, b.OrderID)
	})
	return h
}

// WriteCustomers writes the customers as CSV with a header row.
func (h History) WriteCustomers(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"external_id", "email", "first_name", "last_name", "phone", "country", "region", "time_zone", "created_at",
		"consent_email", "consent_at", "consent_source"}}
	for _, c := range h.Customers {
		at, source := c.ConsentAt.Format(time.RFC3339), "sign-up form"
		if c.Consent == "unknown" {
			at, source = "", ""
		}
		rows = append(rows, []string{c.ExternalID, c.Email, c.FirstName, c.LastName, c.Phone, c.Country, c.Region, c.TimeZone,
			c.CreatedAt.Format(time.RFC3339), c.Consent, at, source})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write customers: %w", err)
	}
	return nil
}

// WriteOrders writes the orders as CSV with a header row.
func (h History) WriteOrders(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"order_id", "external_id", "at", "total", "currency", "items", "first_item"}}
	for _, o := range h.Orders {
		rows = append(rows, []string{o.OrderID, o.ExternalID, o.At.Format(time.RFC3339), string(major(o.Total)), o.Currency,
			strconv.Itoa(o.Items), o.FirstItem})
	}
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write orders: %w", err)
	}
	return nil
}
