package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"touchstone/internal/lifecycle"
	"touchstone/internal/measure/attribution"
	"touchstone/internal/postgres/dbsqlc"
)

// groupColumn is where a touch says which group of a dimension it belongs to.
var groupColumn = map[attribution.Dimension]string{
	attribution.ByAgent:    "t.agent",
	attribution.ByChannel:  "t.channel",
	attribution.ByJourney:  "t.journey",
	attribution.ByCampaign: "t.campaign",
	attribution.ByCohort:   "t.group_key",
	attribution.ByWeek:     "''",
}

// pathsSQL streams sent marketing touches and orders of a period, customer by
// customer, touches before orders, each oldest first.
const pathsSQL = `
select x.customer_id, x.ordered, x.at, x.opened_at, x.clicked_at, x.grp, x.channel, x.total from (
	select t.customer_id, false as ordered, coalesce(t.sent_at, t.sending_at) as at, t.opened_at, t.clicked_at, %GROUP% as grp,
		t.channel, 0::bigint as total, t.id
	from touches t
	where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
	and coalesce(t.sent_at, t.sending_at) >= $1 and coalesce(t.sent_at, t.sending_at) < $2
	union all
	select o.customer_id, true, o.at, null, null, '', '', o.total, null
	from orders o where o.at >= $1 and o.at < $2 and o.currency = $3
) x order by x.customer_id, x.ordered, x.at, x.id`

// Paths calls each with every customer who was sent a marketing touch or ordered
// in the period, one at a time, all from one snapshot. The Customer is reused
// between calls. Errors: Invalid for an unknown dimension, and what each returns.
func (s *Store) Paths(ctx context.Context, from, to time.Time, by attribution.Dimension, currency string, each func(attribution.Customer) error) error {
	column, known := groupColumn[by]
	if !known {
		return lifecycle.Errorf(lifecycle.Invalid, "touches cannot be grouped by %q: use one of %v", by, attribution.Dimensions)
	}
	return s.snapshot(ctx, "read the paths of customers", func(_ *dbsqlc.Queries, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, roomToSort+"; set local statement_timeout = 0"); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, strings.Replace(pathsSQL, "%GROUP%", column, 1), instant(from), instant(to), currency)
		if err != nil {
			return err
		}
		defer rows.Close()
		p := paths{each: each, names: map[string]string{}}
		for rows.Next() {
			if err := p.row(rows); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return p.flush()
	})
}

// paths gathers the rows of one customer.
type paths struct {
	each     func(attribution.Customer) error
	customer attribution.Customer
	names    map[string]string // groups and channels are few: their text is kept once
	id       [16]byte
}

func (p *paths) row(rows pgx.Rows) error {
	var id [16]byte
	var ordered bool
	var at time.Time
	var opened, clicked *time.Time
	var group, channel []byte
	var total int64
	if err := rows.Scan(&id, &ordered, &at, &opened, &clicked, &group, &channel, &total); err != nil {
		return err
	}
	if id != p.id {
		if err := p.flush(); err != nil {
			return err
		}
		p.id = id
	}
	if ordered {
		p.customer.Orders = append(p.customer.Orders, attribution.Order{At: at, Total: total})
		return nil
	}
	p.customer.Touches = append(p.customer.Touches, attribution.Touch{Group: p.name(group), Channel: lifecycle.Channel(p.name(channel)),
		Sent: at, Opened: moment(opened), Clicked: moment(clicked)})
	return nil
}

func (p *paths) name(b []byte) string {
	name, known := p.names[string(b)]
	if !known {
		name = string(b)
		p.names[name] = name
	}
	return name
}

// flush hands over the customer that is complete.
func (p *paths) flush() error {
	if len(p.customer.Touches)+len(p.customer.Orders) == 0 {
		return nil
	}
	p.customer.ID = lifecycle.CustomerID(uuid.UUID(p.id).String())
	err := p.each(p.customer)
	p.customer.Touches, p.customer.Orders = p.customer.Touches[:0], p.customer.Orders[:0]
	return err
}
