-- name: InsertProviderEvents :many
-- Keeps provider events once each, with the touch they are about if it is ours.
insert into provider_events (dedupe_key, touch_id, provider_id, kind, machine, suppress, at, detail)
select b.dedupe_key, coalesce(t.id, p.id), b.provider_id, b.kind, b.machine, b.suppress, b.at, b.detail
from jsonb_populate_recordset(null::provider_events, @batch::jsonb) b
left join touches t on t.id = b.touch_id
left join lateral (
    select o.id from touches o where t.id is null and o.provider_id <> '' and o.provider_id = b.provider_id
    order by o.id limit 1
) p on true
order by b.dedupe_key
on conflict (dedupe_key) do nothing
returning dedupe_key, touch_id;

-- name: CountOrphans :exec
-- Counted by the rows it finds: see pipeline.
select p.dedupe_key from (select unnest(@providers::text[]) as id) x
join provider_events p on p.provider_id = x.id and p.touch_id is null;

-- name: AdoptOrphans :many
-- Provider events that came before we knew the provider's message id.
update provider_events p set touch_id = t.id from touches t
where t.id = any(@ids::uuid[]) and t.provider_id <> '' and p.provider_id = t.provider_id and p.touch_id is null
returning p.dedupe_key;

-- name: TouchesOfProviderEvents :many
select distinct p.touch_id::uuid as touch_id from provider_events p
where p.dedupe_key = any(@keys::text[]) and p.touch_id is not null;

-- name: ApplyToTouches :exec
with reports as (
    select p.touch_id, p.at, outcome_state(p.kind) as state,
        case when p.kind = 'opened' and not p.machine then p.at end as opened_at,
        case when p.kind = 'clicked' and not p.machine then p.at end as clicked_at
    from provider_events p where p.dedupe_key = any(@keys::text[]) and p.touch_id is not null
), merged as (
    select r.touch_id, (array_agg(r.state order by touch_rank(r.state) desc, r.at))[1] as state,
        (array_agg(r.at order by touch_rank(r.state) desc, r.at))[1] as at,
        min(r.opened_at) as opened_at, min(r.clicked_at) as clicked_at
    from reports r group by r.touch_id
), moved as (
    update touches t set
        state       = case when m.yes then g.state else t.state end,
        reason      = case when m.yes then '' else t.reason end,
        reserved_at = case when m.yes then coalesce(t.reserved_at, t.sending_at, g.at) else t.reserved_at end,
        sent_at     = case when m.yes then coalesce(t.sent_at, t.sending_at, g.at) else t.sent_at end,
        opened_at   = least(t.opened_at, g.opened_at),
        clicked_at  = least(t.clicked_at, g.clicked_at)
    from merged g join touches o on o.id = g.touch_id
    cross join lateral (select touch_rank(o.state) is not null and touch_may_move(o.state, g.state) as yes) m
    where t.id = g.touch_id
    returning t.id, t.customer_id, t.class, t.state, t.sent_at, g.at, m.yes,
        o.sent_at is null and t.sent_at is not null as first_sent
), history as (
    insert into touch_history (touch_id, at, state) select m.id, m.at, m.state from moved m where m.yes
), received as (
    select m.customer_id, count(*) as touches, max(m.sent_at) as last_at
    from moved m where m.first_sent and m.class = 'marketing' group by m.customer_id
)
update customer_stats s set touches_count = s.touches_count + n.touches::int,
    last_touch_at = greatest(s.last_touch_at, n.last_at)
from received n where s.customer_id = n.customer_id;

-- name: ApplyToEngagement :exec
-- Adds human opens (0.3) and clicks (1) to the decayed sum, in any order.
with signals as (
    select t.customer_id, p.at, p.kind, case p.kind when 'clicked' then 1.0 else 0.3 end::double precision as weight
    from provider_events p join touches t on t.id = p.touch_id
    where p.dedupe_key = any(@keys::text[]) and p.kind in ('opened', 'clicked') and not p.machine
), newest as (
    select s.customer_id, max(s.at) as at, max(s.at) filter (where s.kind = 'opened') as open_at,
        max(s.at) filter (where s.kind = 'clicked') as click_at
    from signals s group by s.customer_id
), added as (
    select n.customer_id, n.at, n.open_at, n.click_at, sum(s.weight * engagement_left(s.at, n.at)) as weight
    from newest n join signals s on s.customer_id = n.customer_id
    group by n.customer_id, n.at, n.open_at, n.click_at
)
update customer_stats c set
    engagement_weight = coalesce(c.engagement_weight * engagement_left(c.engagement_at, greatest(c.engagement_at, a.at)), 0)
        + a.weight * engagement_left(a.at, greatest(c.engagement_at, a.at)),
    engagement_at = greatest(c.engagement_at, a.at),
    last_open_at = greatest(c.last_open_at, a.open_at),
    last_click_at = greatest(c.last_click_at, a.click_at)
from added a where c.customer_id = a.customer_id;

-- name: ApplyToSuppressions :exec
insert into suppressions (channel, address_hash, reason, source, at)
select distinct on (1, 2) t.channel, address_hash(address_of(t.channel, c.email, c.phone, c.id)), p.kind, 'provider', p.at
from provider_events p join touches t on t.id = p.touch_id join customers c on c.id = t.customer_id
where p.dedupe_key = any(@keys::text[]) and p.suppress and address_of(t.channel, c.email, c.phone, c.id) is not null
order by 1, 2, p.at, p.kind
on conflict (channel, address_hash) do update set reason = excluded.reason, source = excluded.source, at = excluded.at
where (excluded.at, excluded.reason) < (suppressions.at, suppressions.reason);

-- name: ApplyToConsents :exec
insert into consents (customer_id, channel, state, at, source)
select distinct on (1, 2) t.customer_id, t.channel, 'withdrawn', p.at, 'provider'
from provider_events p join touches t on t.id = p.touch_id
where p.dedupe_key = any(@keys::text[]) and p.kind = 'unsubscribed'
order by 1, 2, p.at desc
on conflict (customer_id, channel) do update set state = excluded.state, at = excluded.at, source = excluded.source,
    wording = '', ip = ''
where excluded.at >= consents.at;
