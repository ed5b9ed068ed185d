package postgres

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"touchstone/internal/ledger"
	"touchstone/internal/lifecycle"
	"touchstone/internal/postgres/dbsqlc"
)

// claim says that a visitor was seen with a customer.
type claim struct {
	visitor, name string // name: the external id
	at            time.Time
}

// before reports whether a claim comes first: the earlier one, at the same instant
// the one with the smaller name.
func (c claim) before(o claim) bool {
	return cmp.Or(c.at.Compare(o.at), cmp.Compare(c.name, o.name)) < 0
}

// claims gives visitors to the customers with whom they were seen first, with what
// they did so far, and finds the owners of all visitors of the batch.
func (t *tracking) claims(ctx context.Context) error {
	t.owners = map[string]string{}
	first := map[string]claim{}
	if err := t.readVisitors(ctx); err != nil { // as the aliases left them
		return err
	}
	for i := range t.Messages {
		m := &t.Messages[i]
		for _, v := range []string{m.Visitor, m.FormerVisitor} {
			if v == "" || m.User == "" || t.names[m.User].erased {
				continue
			}
			c := claim{v, m.User, instant(m.At)}
			if standing, ok := first[v]; !ok || c.before(standing) {
				first[v] = c
			}
		}
	}
	for v, row := range t.known {
		t.owners[v] = row.CustomerID
	}
	var save dbsqlc.SaveIdentitiesParams
	for _, v := range slices.Sorted(maps.Keys(first)) {
		c := first[v]
		row, owned := t.known[v]
		if owned && !c.before(claim{v, row.ExternalID, row.SeenAt.UTC()}) {
			continue
		}
		owner, giver := t.names[c.name].id, v
		if owned {
			giver = t.owners[v]
		}
		save.Visitors, save.Customers = append(save.Visitors, v), append(save.Customers, owner)
		save.Names, save.Ats = append(save.Names, c.name), append(save.Ats, c.at)
		t.owners[v] = owner
		if owner != giver {
			if err := t.handOver(ctx, v, giver, owner); err != nil {
				return err
			}
		}
	}
	if len(save.Visitors) > 0 {
		if err := t.q.SaveIdentities(ctx, save); err != nil {
			return err
		}
	}
	return t.forgetErasedOwners(ctx)
}

// forgetErasedOwners leaves visitors of erased customers without a subject: their
// messages are refused.
func (t *tracking) forgetErasedOwners(ctx context.Context) error {
	ids := slices.Sorted(maps.Values(t.owners))
	if len(ids) == 0 {
		return nil
	}
	rows, err := t.tx.Query(ctx, `select id::text from customers where id = any($1::uuid[]) and erased_at is not null`, slices.Compact(ids))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		for v, owner := range t.owners {
			if owner == id {
				t.owners[v] = ""
			}
		}
	}
	return rows.Err()
}

// handOver moves what a visitor did from giver, a customer or the visitor itself,
// to owner.
func (t *tracking) handOver(ctx context.Context, visitor, giver, owner string) error {
	if err := t.q.LockStats(ctx, []string{giver, owner}); err != nil {
		return err
	}
	if err := t.q.GiveVisitorAffinities(ctx, dbsqlc.GiveVisitorAffinitiesParams{Owner: owner, Visitor: visitor, Giver: giver}); err != nil {
		return err
	}
	if err := t.q.TakeVisitorAffinities(ctx, dbsqlc.TakeVisitorAffinitiesParams{Visitor: visitor, Giver: giver}); err != nil {
		return err
	}
	listens := t.Listens
	if listens == nil {
		listens = []string{}
	}
	moved, err := t.q.MoveVisitorEvents(ctx, dbsqlc.MoveVisitorEventsParams{Owner: owner, Visitor: visitor, Giver: giver,
		Listens: listens, Since: instant(t.Now.Add(-routedLate))})
	if err != nil {
		return err
	}
	if moved.InCarts > 0 {
		t.carts[owner] = true
		if giver != visitor {
			t.carts[giver] = true
		}
	}
	orders, err := t.q.MoveVisitorOrders(ctx, dbsqlc.MoveVisitorOrdersParams{Owner: owner, Visitor: visitor, Giver: giver})
	if err != nil || len(orders) == 0 {
		return err
	}
	for customer, sign := range map[string]float64{owner: 1, giver: -1} {
		if err := t.shift(ctx, customer, sign, orders...); err != nil {
			return err
		}
	}
	return t.q.RecountOrders(ctx, []string{giver, owner})
}

// aliases joins customers that are one person.
func (t *tracking) aliases(ctx context.Context) error {
	var order []int
	for i := range t.Messages {
		if t.Messages[i].Former != "" {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &t.Messages[a], &t.Messages[b]
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.User, y.User), cmp.Compare(x.Former, y.Former))
	})
	for _, i := range order {
		m := &t.Messages[i]
		if t.names[m.User].erased || t.names[m.Former].erased {
			t.refused[i] = ErasedReason
			continue
		}
		if err := t.alias(ctx, m.Former, m.User, instant(m.At)); err != nil {
			return err
		}
	}
	return nil
}

// standing is the alias that names a group of ids: the latest one does.
type standing struct {
	at   time.Time
	name string
}

func (s standing) less(o standing) bool {
	return cmp.Or(s.at.Compare(o.at), cmp.Compare(s.name, o.name)) < 0
}

// alias joins the customers behind two names. The customer whose alias is the
// latest stays and gives the name.
func (t *tracking) alias(ctx context.Context, former, user string, at time.Time) error {
	gone, stays := t.names[former], t.names[user]
	name := standing{at, user}
	if s := (standing{stays.aliased, stays.name}); !stays.aliased.IsZero() && name.less(s) {
		name = s
	}
	if s := (standing{gone.aliased, gone.name}); !gone.aliased.IsZero() && name.less(s) {
		name = s
		gone, stays = stays, gone
	}
	if gone != stays {
		if err := t.merge(ctx, gone, stays); err != nil {
			return err
		}
	} else if !name.at.After(stays.aliased) && stays.name == name.name {
		return nil // known
	}
	if err := t.q.KeepConsents(ctx, []string{stays.id}); err != nil {
		return err
	}
	stays.aliased = name.at
	if err := t.q.MarkAliased(ctx, dbsqlc.MarkAliasedParams{At: name.at, ID: stays.id}); err != nil {
		return err
	}
	if err := t.rename(ctx, stays, name.name); err != nil {
		return err
	}
	t.fresh++
	_, err := t.q.SettleConsents(ctx, []string{stays.id})
	return err
}

// rename gives a customer another of its names to stand.
func (t *tracking) rename(ctx context.Context, p *person, name string) error {
	if p.name == name {
		return nil
	}
	holder, err := t.q.NameRow(ctx, name)
	if err != nil {
		return err
	}
	for _, step := range []dbsqlc.RenameParams{{Name: "renaming/" + holder, ID: holder}, {Name: name, ID: p.id}, {Name: p.name, ID: holder}} {
		if err := t.q.Rename(ctx, step); err != nil {
			return err
		}
	}
	p.name = name
	return nil
}

// merge makes two customers one: everything of gone moves to stays, whose row
// survives. What gone was to be sent is called off; journeys that it entered by an
// event and that have sent nothing yet are entered anew. The row of gone remains
// as a name. It is part of one transaction with the message that asks for it, and
// excludes reservations and entries of both customers.
func (t *tracking) merge(ctx context.Context, gone, stays *person) error {
	q, at := t.q, instant(t.Now)
	journeys, err := q.JourneyNames(ctx)
	if err != nil {
		return err
	}
	for _, name := range journeys {
		if err := lock(ctx, q, "entry/"+name, gone.id); err != nil {
			return err
		}
	}
	if err := lock(ctx, q, "customer", gone.id, stays.id); err != nil {
		return err
	}
	if err := t.mergeProfiles(ctx, gone, stays); err != nil {
		return err
	}
	if err := q.KeepConsents(ctx, []string{gone.id, stays.id}); err != nil {
		return err
	}
	if err := q.CloseOpenTouches(ctx, dbsqlc.CloseOpenTouchesParams{ID: gone.id, At: at, Reason: "the customer was merged into another"}); err != nil {
		return err
	}
	again, err := q.ReenterRuns(ctx, dbsqlc.ReenterRunsParams{Loser: gone.id, Survivor: stays.id})
	if err != nil {
		return err
	}
	if again == nil {
		again = []string{}
	}
	for _, step := range []func() error{
		func() error { return q.EndRuns(ctx, dbsqlc.EndRunsParams{At: at, Loser: gone.id}) },
		func() error {
			return q.MoveRunsTo(ctx, dbsqlc.MoveRunsToParams{Survivor: stays.id, Loser: gone.id, Reentered: again})
		},
		func() error {
			return q.MoveTouchesTo(ctx, dbsqlc.MoveTouchesToParams{Survivor: stays.id, Loser: gone.id})
		},
		func() error { return q.LockStats(ctx, []string{gone.id, stays.id}) },
		func() error {
			return q.MoveEventsTo(ctx, dbsqlc.MoveEventsToParams{Survivor: stays.id, Loser: gone.id})
		},
		func() error {
			return q.MoveOrdersTo(ctx, dbsqlc.MoveOrdersToParams{Survivor: stays.id, Loser: gone.id})
		},
		func() error { return q.MoveStatsTo(ctx, dbsqlc.MoveStatsToParams{Survivor: stays.id, Loser: gone.id}) },
		func() error { return q.RecountOrders(ctx, []string{stays.id}) },
		func() error {
			return q.MoveAffinitiesTo(ctx, dbsqlc.MoveAffinitiesToParams{Survivor: stays.id, Loser: gone.id})
		},
		func() error {
			return q.MoveTheRestTo(ctx, dbsqlc.MoveTheRestToParams{Survivor: stays.id, Loser: gone.id})
		},
		func() error { return q.DropConsents(ctx, gone.id) },
		func() error {
			return q.BecomeName(ctx, dbsqlc.BecomeNameParams{Survivor: stays.id, At: at, Loser: gone.id})
		},
		func() error { return t.recordMerge(ctx, gone, stays) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	delete(t.carts, gone.id)
	t.carts[stays.id] = true
	for name, p := range t.names {
		if p == gone {
			t.names[name] = stays
		}
	}
	return nil
}

func (t *tracking) mergeProfiles(ctx context.Context, gone, stays *person) error {
	rows, err := t.q.LockProfiles(ctx, []string{gone.id, stays.id})
	if err != nil {
		return err
	}
	var other *profile
	for _, row := range rows {
		if row.ID == gone.id {
			if other, err = openProfile(row); err != nil {
				return err
			}
		}
	}
	return t.change(ctx, []string{stays.id}, func(p *profile) error {
		p.absorb(other)
		p.changed = true
		return nil
	})
}

func (t *tracking) recordMerge(ctx context.Context, gone, stays *person) error {
	body, err := json.Marshal(map[string]string{"merged": gone.id, "into": stays.id})
	if err != nil {
		return lifecycle.Errorf(lifecycle.Internal, "encode a merge: %w", err)
	}
	return appendRecords(ctx, t.q, []ledger.Record{{At: t.Now, Kind: "customer.merged", Actor: "customer",
		CustomerID: lifecycle.CustomerID(stays.id), Subject: gone.id, Body: body}})
}
