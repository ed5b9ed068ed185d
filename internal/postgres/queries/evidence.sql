-- name: Evidence :many
select * from response_cells order by group_key, journey, channel, offer_id;

-- name: ClearEvidence :exec
delete from response_cells;

-- name: CountTouched :exec
with given as (
    select @now::timestamptz as at, @span::interval as span
)
insert into response_cells (group_key, journey, channel, offer_id, touched, touched_conversions, updated_at)
select r.group_key, r.journey, r.channel, r.offer_id, count(*), sum(r.converted), max(r.at)
from (
    select v.at, t.group_key, t.journey, t.channel, t.offer_id, (exists (
        select from orders o where o.customer_id = t.customer_id and o.total > 0
        and o.at > t.sent_at and o.at <= t.sent_at + v.span))::int as converted
    from given v cross join touches t
    where t.class = 'marketing' and touch_holds_slot(t.state)
    and t.sent_at <= v.at - v.span
) r
group by r.group_key, r.journey, r.channel, r.offer_id;

-- name: CountHeld :exec
-- What the held-out do in the window a touch would have had: for every step
-- that sent touches, the held-out runs that had not ordered by the step's median
-- delay after entry, and their orders in the window from there. Counting from
-- entry would flatter the held-out: it would include those who order before any
-- touch could reach them. A holdout's group is its lifecycle stage at entry
-- (lifecycle.Profile.Stage).
with given as (
    select @now::timestamptz as at, @span::interval as span,
        @at_risk_after::interval as at_risk, @lapsed_after::interval as lapsed,
        @loyal_orders::int as loyal
), steps as (
    select t.journey, t.step,
        percentile_disc(0.5) within group (order by t.sent_at - r.entered_at) as delay
    from touches t join journey_runs r on r.id = t.run_id
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.sent_at is not null
    group by t.journey, t.step
)
insert into response_cells (group_key, journey, channel, offer_id, held, held_conversions, updated_at)
select h.stage, h.journey, '', '', count(*), sum(h.converted), max(h.at)
from (
    select v.at, g.stage, r.journey, (exists (
        select from orders o where o.customer_id = r.customer_id and o.total > 0
        and o.at > r.entered_at + p.delay and o.at <= r.entered_at + p.delay + v.span))::int as converted
    from given v cross join journey_runs r join steps p on p.journey = r.journey
    cross join lateral (
        select case
            when count(*) = 0 then 'prospect'
            when r.entered_at - max(o.at) > v.lapsed then 'lapsed'
            when r.entered_at - max(o.at) > v.at_risk then 'at_risk'
            when count(*) >= v.loyal then 'loyal'
            when count(*) = 1 then 'new'
            else 'active' end as stage
        from orders o where o.customer_id = r.customer_id and o.total > 0 and o.at <= r.entered_at
    ) g
    where r.arm <> 'treated'
    and r.entered_at + p.delay <= v.at - v.span
    and not exists (
        select from orders o where o.customer_id = r.customer_id and o.total > 0
        and o.at > r.entered_at and o.at <= r.entered_at + p.delay)
) h
group by h.stage, h.journey;
