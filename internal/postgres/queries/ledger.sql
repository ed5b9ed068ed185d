-- name: SaveTouches :exec
-- Stores planned touches. A row that is past planning stays as it is.
with saved as (
    insert into touches (id, key, run_id, customer_id, journey, version, campaign, step, agent, channel, class, tags,
        slot, creative_id, content_hash, offer_id, state, reason, not_before, planned_at, settled_at, cost, currency, group_key)
    select b.id, b.key, b.run_id, b.customer_id, b.journey, b.version, b.campaign, b.step, b.agent, b.channel, b.class,
        b.tags, b.slot, b.creative_id, b.content_hash, b.offer_id, b.state, b.reason, b.not_before, b.planned_at,
        b.settled_at, b.cost, b.currency, b.group_key
    from jsonb_populate_recordset(null::touches, @batch::jsonb) b order by b.customer_id, b.id
    on conflict (key) do update set version = excluded.version, agent = excluded.agent, channel = excluded.channel,
        class = excluded.class, tags = excluded.tags, slot = excluded.slot, creative_id = excluded.creative_id,
        content_hash = excluded.content_hash, offer_id = excluded.offer_id, state = excluded.state,
        reason = excluded.reason, not_before = excluded.not_before, settled_at = excluded.settled_at,
        cost = excluded.cost, currency = excluded.currency, group_key = excluded.group_key
    where touches.state in ('planned', 'in_review', 'deferred')
    and (touches.state, touches.reason, touches.not_before, touches.agent, touches.channel, touches.class, touches.tags,
        touches.slot, touches.creative_id, touches.content_hash, touches.offer_id, touches.version, touches.group_key)
        is distinct from
        (excluded.state, excluded.reason, excluded.not_before, excluded.agent, excluded.channel, excluded.class, excluded.tags,
        excluded.slot, excluded.creative_id, excluded.content_hash, excluded.offer_id, excluded.version, excluded.group_key)
    returning id, key, state, reason
)
insert into touch_history (touch_id, at, state, reason)
select s.id, a.at, s.state, s.reason from saved s
join (select unnest(@keys::text[]) as key, unnest(@ats::timestamptz[]) as at) a on a.key = s.key;

-- name: LockTouches :exec
-- Locks touches in one order for everybody, whoever becomes their customer meanwhile.
select t.id from (select unnest(@ids::uuid[]) as id) x join touches t on t.id = x.id
order by t.customer_id, t.id for update of t;

-- name: LockStatsOfTouches :exec
-- Locks the statistics of the customers of locked touches.
select s.customer_id from customer_stats s where s.customer_id in (
    select t.customer_id from (select unnest(@ids::uuid[]) as id) x join touches t on t.id = x.id)
order by s.customer_id for update;

-- name: LockStanding :many
-- Locks touches that may be reserved, those that exist yet, in the order asked:
-- one look-up by id each, whatever the planner believes of the table's size. Those
-- of a customer who was merged into another meanwhile are called off.
select x.id::uuid as id, coalesce(t.customer_id, x.customer_id)::uuid as customer_id, (case
    when m.id is not null and coalesce(t.state, 'planned') in ('planned', 'in_review', 'deferred') then 'skipped'
    else t.state end)::text as state
from (select unnest(@ids::uuid[]) as id, unnest(@customers::uuid[]) as customer_id) x
left join lateral (select o.id, o.customer_id, o.state from touches o where o.id = x.id offset 0 for update) t on true
left join lateral (select c.id from customers c where c.id = x.customer_id and c.merged_into is not null offset 0) m on true
where t.id is not null or m.id is not null;

-- name: ReserveTouches :many
-- Reserves the touches that are under every cap and marks them as being sent;
-- those that are not there yet are stored first. The caller holds the customers'
-- locks and has checked the states.
with asked as (
    select unnest(@ids::uuid[]) as id, unnest(@keys::text[]) as key, unnest(@runs::uuid[]) as run_id,
        unnest(@customers::uuid[]) as customer_id, unnest(@journeys::text[]) as journey, unnest(@versions::int[]) as version,
        unnest(@campaigns::text[]) as campaign, unnest(@steps::text[]) as step, unnest(@agents::text[]) as agent,
        unnest(@channels::text[]) as channel, unnest(@classes::text[]) as class, unnest(@tags::text[]) as tags,
        unnest(@slots::text[]) as slot, unnest(@creatives::text[]) as creative, unnest(@contents::text[]) as content,
        unnest(@offers::text[]) as offer_id, unnest(@planned::timestamptz[]) as planned_at, unnest(@costs::bigint[]) as cost,
        unnest(@currencies::text[]) as currency, unnest(@groups::text[]) as group_key, unnest(@ats::timestamptz[]) as at,
        unnest(@caps::text[]) as caps
), windows as (
    select unnest(@cap_touches::uuid[]) as touch_id, unnest(@cap_names::text[]) as cap,
        unnest(@cap_channels::text[]) as channel, unnest(@cap_tags::text[]) as tag,
        unnest(@cap_sinces::timestamptz[]) as since, unnest(@cap_limits::int[]) as allowed,
        generate_subscripts(@cap_names::text[], 1) as place
), taken as (
    select distinct on (w.touch_id) w.touch_id, w.cap
    from windows w join asked a on a.id = w.touch_id
    where w.allowed <= (
        select count(*) from touches o where o.customer_id = a.customer_id and o.reserved_at > w.since and o.id <> a.id
        and o.class = 'marketing' and touch_holds_slot(o.state)
        and (w.channel = '' or o.channel = w.channel) and (w.tag = '' or w.tag = any(o.tags)))
    order by w.touch_id, w.place
), sending as (
    insert into touches as t (id, key, run_id, customer_id, journey, version, campaign, step, agent, channel, class, tags,
        slot, creative_id, content_hash, offer_id, state, planned_at, reserved_at, sending_at, attempts, caps, cost, currency,
        group_key)
    select a.id, a.key, a.run_id, a.customer_id, a.journey, a.version, a.campaign, a.step, a.agent, a.channel, a.class,
        string_to_array(a.tags, chr(31)), a.slot, nullif(a.creative, '')::uuid, a.content, a.offer_id, 'sending',
        a.planned_at, a.at, a.at, 1, a.caps::jsonb, a.cost, a.currency, a.group_key
    from asked a where not exists (select from taken f where f.touch_id = a.id)
    and not exists (select from customers c where c.id = a.customer_id and c.erased_at is not null) order by a.customer_id, a.id
    on conflict (key) do update set state = 'sending', reason = '', not_before = null, reserved_at = excluded.reserved_at,
        sending_at = excluded.sending_at, attempts = t.attempts + 1,
        content_hash = coalesce(nullif(excluded.content_hash, ''), t.content_hash), caps = excluded.caps
    where t.state in ('planned', 'in_review', 'deferred')
    returning t.id
), history as (
    insert into touch_history (touch_id, at, state)
    select a.id, a.at, 'sending' from sending s join asked a on a.id = s.id order by a.id
)
select a.id::uuid as id, coalesce(f.cap, '')::text as cap, (s.id is not null)::bool as sending,
    exists (select from customers c where c.id = a.customer_id and c.erased_at is not null)::bool as erased
from asked a left join taken f on f.touch_id = a.id left join sending s on s.id = a.id;

-- name: SettleTouches :exec
-- Moves touches where the rules allow it.
with asked as (
    select unnest(@ids::uuid[]) as id, unnest(@states::text[]) as state, unnest(@reasons::text[]) as reason,
        unnest(@not_befores::timestamptz[]) as not_before, unnest(@ats::timestamptz[]) as at,
        unnest(@providers::text[]) as provider_id, unnest(@costs::bigint[]) as cost, unnest(@currencies::text[]) as currency
), moved as (
    update touches t set
        state       = case when m.yes then b.state else t.state end,
        reason      = case when m.yes then b.reason else t.reason end,
        not_before  = case when m.yes then nullif(b.not_before, '0001-01-01 00:00:00Z') else t.not_before end,
        reserved_at = case when not m.yes then t.reserved_at
                           when touch_holds_slot(b.state) then coalesce(t.reserved_at, t.sending_at, b.at) end,
        sending_at  = case when m.yes and b.state in ('planned', 'in_review', 'deferred') then null else t.sending_at end,
        sent_at     = case when m.yes and touch_rank(b.state) > 1 and touch_holds_slot(b.state)
                           then coalesce(t.sent_at, t.sending_at, b.at) else t.sent_at end,
        settled_at  = case when m.yes and b.state in ('planned', 'in_review', 'deferred') then null
                           when m.yes then b.at
                           when touch_rank(t.state) > 1 then coalesce(t.settled_at, b.at)
                           else t.settled_at end,
        provider_id = case when m.yes then coalesce(nullif(b.provider_id, ''), t.provider_id)
                           else coalesce(nullif(t.provider_id, ''), b.provider_id) end,
        cost        = case when b.cost > 0 then b.cost else t.cost end,
        currency    = case when b.cost > 0 then b.currency else t.currency end
    from asked b join touches o on o.id = b.id
    cross join lateral (select touch_may_move(o.state, b.state) as yes) m
    where t.id = b.id and (m.yes or touch_holds_slot(o.state))
    returning t.id, t.customer_id, t.class, t.state, t.reason, t.sent_at, b.at, m.yes,
        o.sent_at is null and t.sent_at is not null as first_sent
), history as (
    insert into touch_history (touch_id, at, state, reason)
    select m.id, m.at, m.state, m.reason from moved m where m.yes order by m.id
), received as (
    select m.customer_id, count(*) as touches, max(m.sent_at) as last_at
    from moved m where m.first_sent and m.class = 'marketing' group by m.customer_id
)
update customer_stats s set touches_count = s.touches_count + n.touches::int,
    last_touch_at = greatest(s.last_touch_at, n.last_at)
from received n where s.customer_id = n.customer_id;

-- name: UnsettledSince :many
select t.id from touches t where t.state = 'sending' and t.sending_at < @older_than::timestamptz
order by t.sending_at limit sqlc.arg('n');

-- name: Touch :one
select * from touches where id = @id;

-- name: TouchByKey :one
select * from touches where key = @key;
