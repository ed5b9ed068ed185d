-- Who is who (internal/postgres/track*.go, merge.go). merged_into always names the
-- customer at the end of the way, never one who was merged again.

-- name: NamedCustomers :many
-- The customers behind names, with what decides whether a hint is news.
select n.external_id as name, r.id, r.external_id, (r.erased_at is not null)::boolean as erased,
    r.aliased_at, r.time_zone, coalesce((r.stated ->> 'time_zone')::bigint, 0)::bigint as zone_stated,
    coalesce((r.stated ->> 'created_at')::bigint, 0)::bigint as created_stated
from customers n join customers r on r.id = coalesce(n.merged_into, n.id)
where n.external_id = any(@names::text[]);

-- name: AddCustomers :exec
insert into customers (id, external_id, created_at, stated)
select b.id, b.external_id, b.created_at, b.stated
from jsonb_populate_recordset(null::customers, @batch::jsonb) b order by b.external_id
on conflict (external_id) do nothing;

-- name: LockProfiles :many
select * from customers where id = any(@ids::uuid[]) order by id for update;

-- name: SaveProfiles :exec
update customers c set email = b.email, phone = b.phone, first_name = b.first_name, last_name = b.last_name,
    locale = b.locale, country = b.country, region = b.region, postal_code = b.postal_code, time_zone = b.time_zone,
    attributes = b.attributes, created_at = b.created_at, stated = b.stated
from jsonb_populate_recordset(null::customers, @batch::jsonb) b where c.id = b.id and c.erased_at is null;

-- name: IdentitiesOf :many
select visitor_id, customer_id, external_id, seen_at from identities where visitor_id = any(@visitors::uuid[]);

-- name: SaveIdentities :exec
insert into identities (visitor_id, customer_id, external_id, seen_at)
select unnest(@visitors::uuid[]), unnest(@customers::uuid[]), unnest(@names::text[]), unnest(@ats::timestamptz[])
on conflict (visitor_id) do update set customer_id = excluded.customer_id, external_id = excluded.external_id, seen_at = excluded.seen_at;

-- name: GiveVisitorAffinities :exec
-- What a visitor looked at counts for the new owner; call it before the events move.
insert into customer_affinities (customer_id, name, weight)
select @owner::uuid, a.name, sum(a.weight * affinity_factor(e.occurred_at))
from events e cross join lateral event_affinities(e.name, e.properties) a (name, weight)
where e.visitor_id = @visitor::uuid and e.customer_id = @giver::uuid group by 2 order by 2
on conflict (customer_id, name) do update set weight = customer_affinities.weight + excluded.weight;

-- name: TakeVisitorAffinities :exec
with taken as (
    select a.name, sum(a.weight * affinity_factor(e.occurred_at)) as weight
    from events e cross join lateral event_affinities(e.name, e.properties) a (name, weight)
    where e.visitor_id = @visitor::uuid and e.customer_id = @giver::uuid group by 1
), gone as (
    delete from customer_affinities c using taken t
    where c.customer_id = @giver::uuid and c.name = t.name and c.weight <= t.weight * 1.000001
)
update customer_affinities c set weight = c.weight - t.weight from taken t
where c.customer_id = @giver::uuid and c.name = t.name and c.weight > t.weight * 1.000001;

-- name: MoveVisitorEvents :one
-- Recent events that a journey may react to are routed: nobody could be written to before.
with moved as (
    update events e set customer_id = @owner::uuid
    where e.visitor_id = @visitor::uuid and e.customer_id = @giver::uuid
    returning e.id, e.occurred_at, e.customer_id, e.name
), routed as (
    insert into event_outbox (event_id, occurred_at, customer_id, name)
    select m.id, m.occurred_at, m.customer_id, m.name from moved m
    where m.name = any(@listens::text[]) and m.occurred_at >= @since::timestamptz order by m.occurred_at, m.id
)
select count(*)::int as events, (count(*) filter (where cart_event(m.name)))::int as in_carts from moved m;

-- name: MoveVisitorOrders :many
update orders o set customer_id = @owner::uuid where o.visitor_id = @visitor::uuid and o.customer_id = @giver::uuid
returning o.external_id;

-- name: ShiftEngagement :exec
-- Adds the purchases among orders to a customer's engagement (sign 1), or takes
-- them away (sign -1).
with signals as (
    select o.at from orders o where o.external_id = any(@external_ids::text[]) and o.total > 0
), newest as (
    select max(s.at)::timestamptz as at from signals s having count(*) > 0
)
update customer_stats c set
    engagement_weight = greatest(0, round((coalesce(c.engagement_weight * engagement_left(c.engagement_at, greatest(c.engagement_at, l.at)), 0)
        + sqlc.arg('sign')::double precision * (select sum(1.5 * engagement_left(s.at, greatest(c.engagement_at, l.at))) from signals s))::numeric, 12)),
    engagement_at = greatest(c.engagement_at, l.at)
from newest l where c.customer_id = @customer_id::uuid;

-- name: RecountOrders :exec
-- The caller holds the rows of the statistics.
update customer_stats s set orders_count = n.orders, revenue = n.revenue, currency = coalesce(n.currency, s.currency),
    first_order_at = n.first_at, last_order_at = n.last_at, last_item = n.last_item
from (select unnest(@ids::uuid[]) as id) x cross join lateral (
    select (count(*) filter (where o.total > 0))::int as orders, coalesce(sum(o.total), 0)::bigint as revenue, max(o.currency) as currency,
        min(o.at) filter (where o.total > 0) as first_at, max(o.at) filter (where o.total > 0) as last_at,
        coalesce((array_agg(o.first_item order by o.at desc, o.first_item desc) filter (where o.total > 0))[1], '') as last_item
    from orders o where o.customer_id = x.id
) n where s.customer_id = x.id;

-- name: JourneyNames :many
select distinct name from journeys;

-- name: ReenterRuns :many
-- Runs of a customer who is merged away that were entered by an event and have
-- sent nothing: the customer who stays enters by the same event.
with again as (
    select r.id, e.id as event_id, e.occurred_at, e.name
    from journey_runs r join events e on e.customer_id = r.customer_id and e.id = r.entry_event_id
    where r.customer_id = @loser::uuid and r.status <> 'ended' and r.campaign = ''
    and not exists (select from touches t where t.customer_id = r.customer_id and t.run_id = r.id and touch_holds_slot(t.state))
), routed as (
    insert into event_outbox (event_id, occurred_at, customer_id, name)
    select a.event_id, a.occurred_at, @survivor::uuid, a.name from (select distinct event_id, occurred_at, name from again) a
    order by a.occurred_at, a.event_id
)
select a.id from again a;

-- name: EndRuns :exec
update journey_runs set status = 'ended', ended_at = @at::timestamptz, end_reason = 'merged', due_at = null, held = false
where customer_id = @loser::uuid and status <> 'ended';

-- name: MoveRunsTo :exec
-- Those that are entered anew stay behind: they would stand in the way.
update journey_runs r set customer_id = @survivor::uuid, entry_key = case when exists (
    select from journey_runs o where o.customer_id = @survivor::uuid and o.journey = r.journey and o.entry_key = r.entry_key)
    then r.entry_key || '/merged/' || r.id else r.entry_key end
where r.customer_id = @loser::uuid and not r.id = any(@reentered::uuid[]);

-- name: MoveTouchesTo :exec
with moved as (
    update touches set customer_id = @survivor::uuid where customer_id = @loser::uuid returning id
), now as materialized (
    select nextval(pg_get_serial_sequence('touch_history', 'seq')) as seq
)
insert into touch_moves (touch_id, seq, customer_id) select m.id, n.seq, @loser::uuid from moved m cross join now n;

-- name: MoveEventsTo :exec
update events set customer_id = @survivor::uuid where customer_id = @loser::uuid;

-- name: MoveOrdersTo :exec
update orders set customer_id = @survivor::uuid where customer_id = @loser::uuid;

-- name: MoveStatsTo :exec
-- Orders are counted anew afterwards.
with gone as (
    select g.touches_count, g.last_touch_at, g.last_open_at, g.last_click_at, g.engagement_weight, g.engagement_at
    from customer_stats g where g.customer_id = @loser::uuid
), emptied as (
    update customer_stats set orders_count = 0, revenue = 0, first_order_at = null, last_order_at = null, last_item = '',
        engagement_weight = 0, engagement_at = null, last_open_at = null, last_click_at = null, touches_count = 0, last_touch_at = null
    where customer_id = @loser::uuid
)
update customer_stats s set touches_count = s.touches_count + g.touches_count, last_touch_at = greatest(s.last_touch_at, g.last_touch_at),
    last_open_at = greatest(s.last_open_at, g.last_open_at), last_click_at = greatest(s.last_click_at, g.last_click_at),
    engagement_weight = coalesce(s.engagement_weight * engagement_left(s.engagement_at, greatest(s.engagement_at, g.engagement_at)), 0)
        + coalesce(g.engagement_weight * engagement_left(g.engagement_at, greatest(s.engagement_at, g.engagement_at)), 0),
    engagement_at = greatest(s.engagement_at, g.engagement_at)
from gone g where s.customer_id = @survivor::uuid;

-- name: MoveAffinitiesTo :exec
with gone as (
    delete from customer_affinities where customer_id = @loser::uuid returning name, weight
)
insert into customer_affinities (customer_id, name, weight) select @survivor::uuid, g.name, g.weight from gone g order by g.name
on conflict (customer_id, name) do update set weight = customer_affinities.weight + excluded.weight;

-- name: MoveTheRestTo :exec
-- What hangs on the customer's id alone: identities, draws of agent tests, what
-- we learnt of opt-outs, wishes, addresses that are the id itself. Of two wishes the
-- stricter one stands. The history of consent stays under the id it was said with.
with owners as (
    update identities set customer_id = @survivor::uuid where customer_id = @loser::uuid
), cells as (
    update agent_cells c set customer_id = @survivor::uuid where c.customer_id = @loser::uuid
    and not exists (select from agent_cells o where o.test = c.test and o.customer_id = @survivor::uuid)
), learnt as (
    update opt_outs set customer_id = @survivor::uuid where customer_id = @loser::uuid
), emptied as (
    delete from carts where customer_id = @loser::uuid
), wished as (
    insert into wishes (customer_id, left_topics, frequency, at)
    select @survivor::uuid, w.left_topics, w.frequency, w.at from wishes w where w.customer_id = @loser::uuid
    on conflict (customer_id) do update set at = greatest(wishes.at, excluded.at),
        left_topics = array(select distinct t from unnest(wishes.left_topics || excluded.left_topics) t order by t),
        frequency = case when 'monthly' in (wishes.frequency, excluded.frequency) then 'monthly'
            else coalesce(nullif(wishes.frequency, ''), excluded.frequency) end
), granted as (
    delete from wishes where customer_id = @loser::uuid
)
insert into suppressions (channel, address_hash, reason, source, at)
select p.channel, address_hash((@survivor::uuid)::text), p.reason, p.source, p.at from suppressions p
where p.channel in ('push', 'web') and p.address_hash = address_hash((@loser::uuid)::text)
on conflict (channel, address_hash) do nothing;

-- name: BecomeName :exec
-- The row of a customer who was merged away leads to the one who stays.
update customers set email = null, phone = null, first_name = '', last_name = '', locale = '', country = '', region = '',
    postal_code = '', time_zone = '', attributes = '{}', stated = '{}', merged_into = @survivor::uuid,
    erased_at = coalesce(erased_at, @at::timestamptz)
where id = @loser::uuid or merged_into = @loser::uuid;

-- name: MarkAliased :exec
update customers set aliased_at = greatest(aliased_at, @at::timestamptz) where id = @id::uuid;

-- name: Rename :exec
update customers set external_id = @name where id = @id::uuid;

-- name: NameRow :one
select id from customers where external_id = @name;

-- name: KeepConsents :exec
-- Writes down under a customer's own name what no statement says yet.
insert into consent_statements (external_id, channel, state, at, source, wording, ip, basis, form, user_agent, confirmed_at)
select c.external_id, k.channel, k.state, k.at, k.source, k.wording, k.ip, k.basis, k.form, k.user_agent, k.confirmed_at
from customers c join consents k on k.customer_id = c.id
where c.id = any(@ids::uuid[]) and not exists (
    select from consent_statements s join customers n on n.external_id = s.external_id
    where (n.id = c.id or n.merged_into = c.id) and s.channel = k.channel and s.state = k.state and s.at = k.at)
on conflict (external_id, channel) do update set state = excluded.state, at = excluded.at, source = excluded.source,
    wording = excluded.wording, ip = excluded.ip, basis = excluded.basis, form = excluded.form,
    user_agent = excluded.user_agent, confirmed_at = excluded.confirmed_at
where (excluded.at > consent_statements.at or (excluded.at = consent_statements.at and excluded.state = 'withdrawn'))
    and not (excluded.state = 'pending' and consent_statements.state = 'granted');

-- name: SaveConsentStatements :exec
insert into consent_statements (external_id, channel, state, at, source, wording, ip, basis, form, user_agent, confirmed_at)
select b.external_id, b.channel, b.state, b.at, b.source, b.wording, b.ip, b.basis, b.form, b.user_agent, b.confirmed_at
from jsonb_populate_recordset(null::consent_statements, @batch::jsonb) b order by b.external_id, b.channel
on conflict (external_id, channel) do update set state = excluded.state, at = excluded.at, source = excluded.source,
    wording = excluded.wording, ip = excluded.ip, basis = excluded.basis, form = excluded.form,
    user_agent = excluded.user_agent, confirmed_at = excluded.confirmed_at
where (excluded.at > consent_statements.at or (excluded.at = consent_statements.at and excluded.state = 'withdrawn'))
    and not (excluded.state = 'pending' and consent_statements.state = 'granted');

-- name: DropConsents :exec
delete from consents where customer_id = @id::uuid;

-- name: SettleConsents :many
-- What the statements under all names of a customer come to: since the latest
-- alias the latest one; before it, when nobody could know that the names are one
-- person, a withdrawal under any of them. A later word that came another way, such
-- as the unsubscribe link, stands.
with said as (
    select r.id as customer_id, s.channel, s.state, s.at, s.source, s.wording, s.ip, s.basis, s.form, s.user_agent,
        s.confirmed_at, s.at >= r.aliased_at as since,
        max(s.at) over (partition by r.id, s.channel) as last
    from customers r join customers n on n.id = r.id or n.merged_into = r.id
    join consent_statements s on s.external_id = n.external_id
    where r.id = any(@ids::uuid[])
), chosen as (
    select distinct on (s.customer_id, s.channel) s.customer_id, s.channel, s.state, s.at, s.source, s.wording, s.ip,
        s.basis, s.form, s.user_agent, s.confirmed_at, s.last from said s
    order by s.customer_id, s.channel, s.since desc, case when s.since then s.at end desc, (s.state = 'withdrawn') desc, s.at desc, s.source
)
insert into consents (customer_id, channel, state, at, source, wording, ip, basis, form, user_agent, confirmed_at)
select c.customer_id, c.channel, c.state, c.at, c.source, c.wording, c.ip, c.basis, c.form, c.user_agent, c.confirmed_at from chosen c
left join consents k on k.customer_id = c.customer_id and k.channel = c.channel
where k.customer_id is null or k.at <= c.last
order by c.customer_id, c.channel
on conflict (customer_id, channel) do update set state = excluded.state, at = excluded.at, source = excluded.source,
    wording = excluded.wording, ip = excluded.ip, basis = excluded.basis, form = excluded.form,
    user_agent = excluded.user_agent, confirmed_at = excluded.confirmed_at
where (consents.state, consents.at) is distinct from (excluded.state, excluded.at)
    and not (excluded.state = 'pending' and consents.state = 'granted')
returning customer_id, channel, state;

-- name: RefreshCarts :exec
select refresh_carts(@customers::uuid[], @now::timestamptz);

-- name: SettleOrders :execrows
-- Cancellations and refunds of everything take back what is left of their order;
-- the first of them does.
with asked as (
    select distinct unnest(@order_ids::text[]) as id
), amounts as (
    select a.id, greatest(0, coalesce(b.total, 0) + coalesce((select sum(x.total) from orders x where x.of_order = a.id and not x.remainder), 0)) as amount
    from asked a left join orders b on b.external_id = a.id
), places as (
    select r.external_id, r.of_order, row_number() over (partition by r.of_order order by r.at, r.external_id) as place
    from asked a join orders r on r.of_order = a.id where r.remainder
)
update orders o set total = case when p.place = 1 then -m.amount else 0 end
from places p join amounts m on m.id = p.of_order
where o.external_id = p.external_id and o.total is distinct from (case when p.place = 1 then -m.amount else 0 end);

-- name: OwnersOfOrders :many
select distinct o.customer_id from orders o where o.external_id = any(@order_ids::text[]) or o.of_order = any(@order_ids::text[]);

-- name: ForgetAffinities :execrows
delete from customer_affinities where weight < @least::double precision;
