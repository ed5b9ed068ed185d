package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"touchstone/internal/access"
	"touchstone/internal/devstack"
	"touchstone/internal/journey"
	"touchstone/internal/onebox"
	"touchstone/internal/postgres"
)

// seedYear fills a store with a year that ends now: touches of a tenth as many
// customers, with their runs, orders, decisions and the provider's reports.
// One customer in twenty is held out; one decision in ten is a guardrail's block.
var seedYear = []string{
	`select ensure_partitions('{events,touch_history,decision_log}'::text[], year_end() - interval '13 months', year_end() + interval '1 month')`,
	`insert into customers (id, external_id, email, time_zone, created_at)
	select md5('c' || i)::uuid, 'C' || lpad(i::text, 7, '0'), 'c' || i || '@example.com', 'Europe/Berlin', year_end() - interval '2 years' from generate_series(1, year_touches() / 10) i`,
	`insert into journey_runs (id, journey, version, customer_id, entry_key, campaign, arm, status, step, entered_at, converted_at, ended_at, end_reason)
	select md5('r' || i)::uuid, (array['welcome', 'winback', 'cart-recovery', 'at-risk'])[1 + i % 4], 1, md5('c' || (1 + i % (year_touches() / 10)))::uuid, 'k' || i,
		case when i % 3 = 0 then 'spring' else '' end, case when (1 + i % (year_touches() / 10)) % 20 = 0 then 'global_holdout' else 'treated' end,
		case when i % 9 = 0 then 'running' else 'ended' end, 'nudge', x.at, case when i % 11 = 0 then x.at + interval '1 day' end,
		case when i % 9 > 0 then x.at + interval '9 days' end, case when i % 9 > 0 then 'completed' else '' end
	from generate_series(1, year_touches() / 2) i cross join lateral (select year_end() - (i % 364) * interval '1 day' - (i % 86400) * interval '1 second' as at) x`,
	`insert into touches (id, key, run_id, customer_id, journey, version, campaign, step, agent, channel, class, slot, state, reason, planned_at, reserved_at, sent_at, settled_at, cost, currency)
	select md5('t' || i)::uuid, 'year/' || i, r.id, r.customer_id, r.journey, 1, r.campaign, 'nudge', 'winback', 'email', 'marketing', r.journey || '/nudge',
		case when i % 10 = 0 then 'blocked' else 'delivered' end, case when i % 10 = 0 then 'frequency-cap: two in a week' else '' end,
		x.at, case when i % 10 > 0 then x.at end, case when i % 10 > 0 then x.at end, x.at, 1, 'USD'
	from generate_series(1, year_touches()) i join journey_runs r on r.id = md5('r' || (1 + i % (year_touches() / 2)))::uuid
	cross join lateral (select r.entered_at + (i / (year_touches() / 2)) * interval '2 days' + interval '1 hour' as at) x where r.arm = 'treated'`,
	`insert into touch_history (touch_id, at, state, reason) select id, planned_at, state, reason from touches`,
	`insert into decision_log (seq, at, kind, actor, customer_id, run_id, touch_id, subject, body, prev_hash, hash)
	select row_number() over (order by t.planned_at), t.planned_at, case when t.state = 'blocked' then 'touch.blocked' else 'touch.planned' end, 'agent/winback', t.customer_id, t.run_id, t.id, t.slot,
		'{"decision":{"agent":"winback","version":"1","reasons":["smallest offer that pays"]},"verdict":{"outcome":"' || case when t.state = 'blocked' then 'block' else 'allow' end
		|| '","findings":[' || case when t.state = 'blocked' then '{"rule":"frequency-cap","outcome":"block","value":"2","limit":"2","reason":"two in a week"}' else '' end || ']}}', '', ''
	from touches t`,
	`insert into decision_log (seq, at, kind, actor, subject, body, prev_hash, hash)
	select year_touches() * 2 + i, year_end() - (400 - i) * interval '1 hour', 'control.paused', 'maria', 'journey winback', '{"reason":"prices"}', '', '' from generate_series(1, 400) i`,
	`insert into orders (external_id, customer_id, at, total, currency, items, received_at)
	select 'o' || i, md5('c' || (1 + (i * 7) % (year_touches() / 10)))::uuid, x.at, 1000 + i % 9000, 'USD', 1, x.at
	from generate_series(1, year_touches() / 4) i cross join lateral (select year_end() - (i % 364) * interval '1 day' as at) x`,
	`insert into provider_events (dedupe_key, touch_id, kind, machine, at) select 'e' || id, id, case when right(id::text, 1) < '3' then 'clicked' else 'opened' end, right(id::text, 1) > 'b', planned_at + interval '1 hour'
	from touches where state = 'delivered' and right(id::text, 1) < '8'`,
	`insert into campaigns (name, journey, version, segment, holdout, status, created_at) values ('spring', 'winback', 1, 'true', 0.05, 'running', year_end())`,
	`insert into creatives (id, slot, channel, parts, content_hash, source, author, status, approved_by, created_at)
	select md5('p' || i)::uuid, 'winback/nudge', 'email', jsonb_build_object('subject', 'Note ' || i, 'text', 'A note. {{ unsubscribe_url }}', 'html', '<p>A note.</p><p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p>'),
		encode(sha256(convert_to(i::text, 'UTF8')), 'hex'), 'model', 'gpt', case when i % 20 = 0 then 'in_review' else 'approved' end, case when i % 20 = 0 then '' else 'maria' end, year_end() - i * interval '1 hour'
	from generate_series(1, least(4000, year_touches())) i`,
	`insert into reviews (id, workflow_id, kind, creative_id, content_hash, journey, status, decided_by, opened_at, due_at, decided_at)
	select md5('v' || i)::uuid, 'review/' || i, 'creative', c.id, c.content_hash, 'winback', case when c.status = 'approved' then 'approved' else 'awaiting' end, c.approved_by, c.created_at, c.created_at + interval '5 minutes',
		case when c.status = 'approved' then c.created_at + interval '3 minutes' end
	from generate_series(1, least(4000, year_touches())) i join creatives c on c.id = md5('p' || i)::uuid`,
	`update decision_head set seq = year_touches() * 2 + 400`,
}

// consoleAsks is how often each page is asked for.
const consoleAsks = 20

// console measures how long the server takes for each page over a year of
// touches, and how long the figures take that it computes in between.
func (r *run) console(ctx context.Context) (err error) {
	touches := max(r.Touches/2, 10_000)
	r.say("console: pages over a year of %d touches", touches)
	stack, err := devstack.Start(ctx, devstack.Options{BinDir: r.Box.BinDir, Ephemeral: true, Postgres: true, Log: r.Box.Log, Progress: r.Box.Progress})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop(context.WithoutCancel(ctx))) }()
	if err := postgres.Migrate(ctx, stack.DatabaseURL); err != nil {
		return err
	}
	began := time.Now()
	if err := onConnection(ctx, stack.DatabaseURL, func(c *pgx.Conn) error { return seedConsole(ctx, c, touches) }); err != nil {
		return err
	}
	r.say("  filled in %s", time.Since(began).Round(time.Second))
	store, err := postgres.Open(ctx, stack.DatabaseURL, postgres.Options{Stages: r.Box.Brand.Stages})
	if err != nil {
		return err
	}
	defer store.Close()
	for name, source := range journey.Shipped() {
		if _, _, err := store.SaveJourney(ctx, name, source, "hash", nil, "", "bench", time.Now().UTC()); err != nil {
			return err
		}
	}
	pages, err := onebox.NewConsole(onebox.GatewayOptions{Config: r.Box.Config, Store: store, Brand: r.Box.Brand, Log: r.Box.Log}, r.Box.Policy)
	if err != nil {
		return err
	}
	return r.ask(ctx, store, pages.Handler())
}

func seedConsole(ctx context.Context, c *pgx.Conn, touches int) error {
	size := fmt.Sprintf(`create function year_touches() returns int language sql immutable as 'select %d';
	create function year_end() returns timestamptz language sql stable as 'select now()'`, touches)
	for _, sql := range append([]string{size}, seedYear...) {
		if _, err := c.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%w in %.60s", err, sql)
		}
	}
	_, err := c.Exec(ctx, "vacuum analyze")
	return err
}

// ask signs in and asks for every page again and again.
func (r *run) ask(ctx context.Context, store *postgres.Store, pages http.Handler) error {
	token := access.NewToken()
	if err := store.AddUser(ctx, access.User{Name: "bench", Role: access.Admin, TokenExpiresAt: time.Now().Add(time.Hour), CreatedAt: time.Now().UTC(), CreatedBy: "bench"}, token); err != nil {
		return err
	}
	in := httptest.NewRequestWithContext(ctx, http.MethodPost, "/signin", strings.NewReader(url.Values{"token": {string(token)}}.Encode()))
	in.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	signed := httptest.NewRecorder()
	pages.ServeHTTP(signed, in)
	cookies := signed.Result().Cookies()
	if len(cookies) == 0 {
		return fmt.Errorf("the console does not sign in: status %d", signed.Code)
	}
	page := func(path string) (time.Duration, string, error) {
		req := httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil)
		req.AddCookie(cookies[0])
		rec := httptest.NewRecorder()
		began := time.Now()
		pages.ServeHTTP(rec, req)
		took := time.Since(began)
		if rec.Code != http.StatusOK {
			return took, "", fmt.Errorf("page %s: status %d", path, rec.Code)
		}
		return took, rec.Body.String(), nil
	}
	customer, err := store.FindCustomer(ctx, "C0000002")
	if err != nil {
		return err
	}
	reviews, err := store.Reviews(ctx, "awaiting", 1)
	if err != nil {
		return err
	}
	for _, path := range []string{"/", "/?period=364d", "/guardrails?period=364d", "/journeys", "/journeys/winback", "/campaigns", "/campaigns/spring", "/reviews", "/reviews/" + string(reviews[0].ID),
		"/reviews/decided", "/customers/" + string(customer.ID), "/audit", "/audit?all", "/audit?kind=touch.blocked", "/audit?customer=C0000002"} {
		if err := r.askPage(path, page); err != nil {
			return err
		}
	}
	return nil
}

// askPage measures one page, first asked for while nothing is counted.
func (r *run) askPage(path string, page func(string) (time.Duration, string, error)) error {
	began := time.Now()
	cold, body, err := page(path)
	if err != nil {
		return err
	}
	for strings.Contains(body, "Being counted") {
		if time.Since(began) > 5*time.Minute {
			return fmt.Errorf("page %s is still being counted", path)
		}
		time.Sleep(20 * time.Millisecond)
		if _, body, err = page(path); err != nil {
			return err
		}
	}
	counted := time.Since(began)
	times := []time.Duration{cold}
	for range consoleAsks {
		took, _, err := page(path)
		if err != nil {
			return err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	if first, rest, found := strings.Cut(name, "/"); found && len(rest) == 36 {
		name = first + "/ID"
	}
	if _, query, found := strings.Cut(path, "?"); found {
		name += "?" + query
	}
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	r.target(Line{Part: "console", What: "slowest of " + fmt.Sprint(len(times)) + ", /" + name, Unit: "ms", Ours: milliseconds(times[len(times)-1])}, "below 200 ms",
		func(l Line) bool { return l.Ours < 200 })
	if counted > cold+30*time.Millisecond {
		r.add(Line{Part: "console", What: "counted in between, /" + name, Unit: "ms", Ours: milliseconds(counted)})
	}
	return nil
}
