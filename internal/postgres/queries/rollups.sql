-- Hourly sums (internal/postgres/rollup.go). Every insert sums the hours that
-- are listed, or all of them from since to until where everything is asked for.

-- name: RollupState :one
select horizon, as_of, rolled_at, revision, attribution, currency from rollup_state;

-- name: SaveRollupState :exec
insert into rollup_state (horizon, as_of, rolled_at, revision, attribution, currency)
values (@horizon, @as_of, now(), @revision, @attribution, @currency)
on conflict (only_row) do update set horizon = excluded.horizon, as_of = greatest(excluded.as_of, rollup_state.as_of),
    rolled_at = excluded.rolled_at, revision = excluded.revision, attribution = excluded.attribution,
    currency = excluded.currency;

-- name: OldestTransaction :one
-- Whatever this statement does not see was, or will be, written by this
-- transaction or a later one.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin;

-- name: TakeMarks :many
delete from rollup_marks returning touch_id;

-- name: TakeOrderMarks :many
delete from rollup_order_marks returning customer_id, at;

-- name: DirtyHours :many
-- Hours whose sums may have changed: those in which a changed touch was planned,
-- went out or ever took a state, and those of orders that it, or another order,
-- may gain or lose the credit of.
with changed as (
    select h.touch_id from touch_history h where h.tx >= @horizon::bigint
    union select e.touch_id from provider_events e where e.tx >= @horizon::bigint and e.touch_id is not null
    union select unnest(@marked::uuid[])
), instants as (
    select t.customer_id, t.planned_at as at from changed c join touches t on t.id = c.touch_id
    union
    select t.customer_id, coalesce(t.sent_at, t.sending_at) from changed c join touches t on t.id = c.touch_id
    where coalesce(t.sent_at, t.sending_at) is not null
    union
    select t.customer_id, h.at from changed c join touches t on t.id = c.touch_id join touch_history h on h.touch_id = c.touch_id
), bought as (
    select o.customer_id, o.at from orders o where o.tx >= @horizon::bigint
    union
    select unnest(@marked_owners::uuid[]), unnest(@marked_ats::timestamptz[])
)
select distinct hour_of(d.at)::timestamptz as hour from (
    select i.at from instants i
    union all
    select o.at from instants i join orders o on o.customer_id = i.customer_id
        and o.at >= i.at and o.at <= i.at + @attribution::interval
    union all
    select b.at from bought b
    union all
    select o.at from bought b join orders o on o.customer_id = b.customer_id
        and o.at >= b.at - @attribution::interval and o.at <= b.at + @attribution::interval
) d order by 1;

-- name: RecordedSpan :one
-- From the first to after the last hour that has something to sum.
select coalesce(hour_of(least(
        (select min(coalesce(t.sent_at, t.sending_at, t.planned_at)) from touches t), (select min(o.at) from orders o))),
        now())::timestamptz as since,
    coalesce(hour_of(greatest(
        (select max(coalesce(t.sent_at, t.sending_at, t.planned_at)) from touches t), (select max(o.at) from orders o)))
        + interval '1 hour', now())::timestamptz as until;

-- name: ForgetTouchHours :exec
delete from rollup_touches where @everything::boolean or hour = any(@hours::timestamptz[]);

-- name: ForgetBlockDays :exec
delete from rollup_blocks where @everything::boolean or day = any(@days::timestamptz[]);

-- name: ForgetOrderHours :exec
delete from rollup_orders where @everything::boolean or hour = any(@hours::timestamptz[]);

-- name: ForgetCreditHours :exec
delete from rollup_credits where @everything::boolean or hour = any(@hours::timestamptz[]);

-- name: SumTouches :exec
insert into rollup_touches (hour, journey, campaign, agent, channel, class, touches, planned, in_review, deferred,
    skipped, blocked, rejected, refused, sent, unconfirmed, delivered, bounced, hard_bounced, complained, unsubscribed,
    opened, clicked, reviewed, cost)
select hour_of(r.at), r.journey, r.campaign, r.agent, r.channel, r.class, count(*),
    count(*) filter (where r.state in ('planned', 'reserved')), count(*) filter (where r.state = 'in_review'),
    count(*) filter (where r.state = 'deferred'), count(*) filter (where r.state = 'skipped'),
    count(*) filter (where r.state = 'blocked'), count(*) filter (where r.state = 'rejected'),
    count(*) filter (where r.state = 'refused'), count(*) filter (where r.sent),
    count(*) filter (where r.state in ('sending', 'unconfirmed')), count(*) filter (where r.delivered),
    count(*) filter (where r.bounced), count(*) filter (where r.hard_bounced), count(*) filter (where r.complained),
    count(*) filter (where r.sent and r.unsubscribed), count(*) filter (where r.opened), count(*) filter (where r.clicked),
    count(*) filter (where r.reviewed), coalesce(sum(r.cost) filter (where r.sent and r.currency = @currency::text), 0)
from report_touches r
where r.at >= @since::timestamptz and r.at < @until::timestamptz
and (@everything::boolean or hour_of(r.at) = any(@hours::timestamptz[]))
group by 1, 2, 3, 4, 5, 6 order by 1;

-- name: SumBlocks :exec
insert into rollup_blocks (day, block, journey, campaign, channel, touches, cost)
select day_of(coalesce(t.sent_at, t.sending_at)), customer_block(t.customer_id), t.journey, t.campaign, t.channel,
    count(*), coalesce(sum(t.cost) filter (where t.currency = @currency::text), 0)
from touches t
where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
and coalesce(t.sent_at, t.sending_at, t.planned_at) >= @since::timestamptz
and coalesce(t.sent_at, t.sending_at, t.planned_at) < @until::timestamptz
and (@everything::boolean or day_of(coalesce(t.sent_at, t.sending_at)) = any(@days::timestamptz[]))
group by 1, 2, 3, 4, 5 order by 1;

-- name: SumOrders :exec
insert into rollup_orders (hour, block, orders, value, refunds, refunded)
select hour_of(o.at), customer_block(o.customer_id),
    count(*) filter (where o.total > 0), coalesce(sum(o.total) filter (where o.total > 0), 0),
    count(*) filter (where o.total < 0), coalesce(sum(o.total) filter (where o.total < 0), 0)
from orders o
where o.currency = @currency::text and o.at >= @since::timestamptz and o.at < @until::timestamptz
and (@everything::boolean or hour_of(o.at) = any(@hours::timestamptz[]))
group by 1, 2 order by 1;

-- name: SumCredits :exec
-- Last touch, as in ReportCredits. A slot is taken by reserved_at, so every sent
-- touch has one. An order converts its touch when no earlier order has: that one
-- would have the same touch as its last.
with credited as (
    select o.external_id, o.customer_id, o.at, o.total, t.journey, t.campaign, t.agent, t.channel, t.at as touched_at
    from orders o cross join lateral (
        select t.journey, t.campaign, t.agent, t.channel, coalesce(t.sent_at, t.sending_at) as at from touches t
        where t.customer_id = o.customer_id and t.reserved_at is not null
        and t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
        and coalesce(t.sent_at, t.sending_at) < o.at
        and coalesce(t.sent_at, t.sending_at) >= o.at - @attribution::interval
        order by coalesce(t.sent_at, t.sending_at) desc, t.id desc limit 1
    ) t
    where o.currency = @currency::text and o.at >= @since::timestamptz and o.at < @until::timestamptz
    and (@everything::boolean or hour_of(o.at) = any(@hours::timestamptz[]))
)
insert into rollup_credits (hour, touched_hour, block, journey, campaign, agent, channel, orders, conversions, value, revenue)
select hour_of(c.at), hour_of(c.touched_at), customer_block(c.customer_id), c.journey, c.campaign, c.agent, c.channel,
    count(*) filter (where c.total > 0),
    count(*) filter (where c.total > 0 and not exists (
        select from orders p where p.customer_id = c.customer_id and p.currency = @currency::text and p.total > 0
        and p.at > c.touched_at and (p.at, p.external_id) < (c.at, c.external_id))),
    coalesce(sum(c.total) filter (where c.total > 0), 0), sum(c.total)
from credited c
group by 1, 2, 3, 4, 5, 6, 7 order by 1;

-- name: RolledUpTo :one
select as_of from rollup_state;
