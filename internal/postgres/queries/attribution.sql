-- Attribution, lift by cut, agent cells and the figures behind return on
-- investment. A touch was sent as in report.sql.

-- name: AgentTest :one
select * from agent_tests where name = @name;

-- name: LatestAgentTest :one
select * from agent_tests order by started_at desc, name desc limit 1;

-- name: EndAgentTests :exec
update agent_tests set ended_at = @at::timestamptz where ended_at is null and name <> @keep::text;

-- name: StartAgentTest :exec
insert into agent_tests (name, agents, share, started_at) values (@name, @agents, @share, @at);

-- name: DrawAgentCells :exec
-- Customers who are on a journey when a test begins.
insert into agent_cells (test, customer_id, cell, at)
select distinct on (r.customer_id) t.name, r.customer_id, agent_cell(t.name, t.share, cardinality(t.agents), r.customer_id), t.started_at
from agent_tests t cross join journey_runs r
where t.name = @name and r.arm = 'treated' and r.status <> 'ended'
order by r.customer_id
on conflict do nothing;

-- name: AgentCellArms :many
-- A customer counts from the draw, once the outcome window has closed. What
-- customers did is put under one another and added up once: joining sums with
-- sums would leave the planner guessing how many there are.
with drawn as (
    select c.cell, c.customer_id, c.at, c.at + @outcome::interval as closes
    from agent_cells c where c.test = @test
), did as (
    select d.cell, d.customer_id, 0::bigint as total, 0 as touches, d.closes > @until::timestamptz as open from drawn d
    union all
    select d.cell, d.customer_id, o.total, 0, false
    from drawn d join orders o on o.customer_id = d.customer_id and o.at > d.at and o.at <= d.closes
    where o.currency = @currency::text and d.closes <= @until::timestamptz and o.at <= @until::timestamptz
    union all
    select d.cell, d.customer_id, 0, 1, false
    from drawn d join touches t on t.customer_id = d.customer_id
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) >= d.at and coalesce(t.sent_at, t.sending_at) <= d.closes
    and d.closes <= @until::timestamptz
), each as (
    select d.cell, d.customer_id, sum(d.total) as revenue, max(d.total) > 0 as converted, sum(d.touches) as touches, bool_or(d.open) as open
    from did d group by d.customer_id, d.cell
)
select e.cell::int as cell,
    count(*) filter (where not e.open)::int as customers,
    count(*) filter (where e.open)::int as open,
    count(*) filter (where e.converted)::int as converted,
    coalesce(sum(e.revenue), 0)::double precision as revenue,
    coalesce(sum(e.revenue * e.revenue), 0)::double precision as revenue_squares,
    coalesce(sum(e.touches), 0)::int as touches
from each e group by e.cell order by e.cell;

-- name: LiftCuts :many
-- See measure.Trial and measure.Cut: journeys, campaigns, or the programme, where
-- a customer's first run of any journey counts, whole or cut by week of entry or
-- lifecycle stage at entry (lifecycle.Profile.Stage). Windows maps a journey to
-- its outcome window in microseconds; others have the default. Responded:
-- customers with an event of this name in the outcome window. Sorts begin with
-- the customer: comparing ids is quicker than comparing names.
with runs as (
    select r.*, case @scope::text when 'journey' then r.journey when 'campaign' then r.campaign else '' end as name
    from journey_runs r where @scope::text <> 'campaign' or r.campaign <> ''
), first as (
    select distinct on (r.customer_id, r.name) r.name, r.journey, r.customer_id, r.arm, r.entered_at
    from runs r order by r.customer_id, r.name, r.entered_at, r.id
), entered as (
    select f.*, f.entered_at + case when @scope::text = 'programme' then @outcome::bigint
            else coalesce((@windows::jsonb ->> f.journey)::bigint, @outcome::bigint) end * interval '1 microsecond' as closes,
        case @cut::text
            when 'week' then floor(extract(epoch from f.entered_at - @since::timestamptz) / 604800)::int::text
            when 'cohort' then (
                select case
                    when count(*) = 0 then 'prospect'
                    when f.entered_at - max(o.at) > @lapsed_after::interval then 'lapsed'
                    when f.entered_at - max(o.at) > @at_risk_after::interval then 'at_risk'
                    when count(*) >= @loyal_orders::int then 'loyal'
                    when count(*) = 1 then 'new'
                    else 'active' end
                from orders o where o.customer_id = f.customer_id and o.total > 0 and o.at <= f.entered_at)
            else '' end as cut
    from first f
    where f.entered_at >= @since::timestamptz and f.entered_at < @until::timestamptz and (@name::text = '' or f.name = @name::text)
), did as (
    select e.name, e.cut, e.arm, e.customer_id, 0::bigint as total, 0 as touches, 0 as seen, e.closes > @until::timestamptz as open from entered e
    union all
    select e.name, e.cut, e.arm, e.customer_id, o.total, 0, 0, false
    from entered e join orders o on o.customer_id = e.customer_id and o.at > e.entered_at and o.at <= e.closes
    where o.currency = @currency::text and e.closes <= @until::timestamptz
    and o.at > @since::timestamptz and o.at <= @until::timestamptz
    union all
    select e.name, e.cut, e.arm, e.customer_id, 0, 1, 0, false
    from entered e join touches t on t.customer_id = e.customer_id
        and (@scope::text = 'programme' or t.journey = e.journey) and (@scope::text <> 'campaign' or t.campaign = e.name)
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) >= e.entered_at
    and coalesce(t.sent_at, t.sending_at) <= e.closes and e.closes <= @until::timestamptz
    and coalesce(t.sent_at, t.sending_at) >= @since::timestamptz and coalesce(t.sent_at, t.sending_at) <= @until::timestamptz
    union all
    select e.name, e.cut, e.arm, e.customer_id, 0, 0, 1, false
    from entered e join events v on v.customer_id = e.customer_id and v.occurred_at > e.entered_at and v.occurred_at <= e.closes
    where @event::text <> '' and v.name = @event::text and e.closes <= @until::timestamptz
    and v.occurred_at > @since::timestamptz and v.occurred_at <= @until::timestamptz
), each as (
    select d.name, d.cut, d.arm, d.customer_id, sum(d.total) as revenue, max(d.total) > 0 as converted, sum(d.touches) as touches,
        max(d.seen) as seen, bool_or(d.open) as open
    from did d group by d.customer_id, d.name, d.cut, d.arm
)
select e.name::text as name, e.cut::text as cut, e.arm::text as arm,
    count(*) filter (where not e.open)::int as customers,
    count(*) filter (where e.open)::int as open,
    count(*) filter (where e.converted)::int as converted,
    coalesce(sum(e.seen), 0)::int as responded,
    coalesce(sum(e.revenue), 0)::double precision as revenue,
    coalesce(sum(e.revenue * e.revenue), 0)::double precision as revenue_squares,
    coalesce(sum(e.touches), 0)::int as touches
from each e group by 1, 2, 3 order by 1, 2, 3;

-- name: RedeemedCoupons :many
-- Orders of the period by the code they were placed with; refunds not counted.
select upper(o.coupon)::text as code, count(*)::int as orders, sum(o.total)::bigint as paid
from orders o
where o.at >= @since::timestamptz and o.at < @until::timestamptz and o.currency = @currency::text and o.coupon <> '' and o.total > 0
group by 1 order by 1;

-- name: YearValues :one
-- What customers spent in the year from their first order, net of refunds,
-- where that year is over.
with first as (
    select o.customer_id, min(o.at) as at from orders o
    where o.currency = @currency::text and o.total > 0 group by o.customer_id
), year as (
    select f.customer_id, sum(o.total) as revenue
    from first f join orders o on o.customer_id = f.customer_id and o.at >= f.at and o.at < f.at + interval '365 days'
    where o.currency = @currency::text and f.at + interval '365 days' <= @until::timestamptz
    group by f.customer_id
)
select count(*)::int as customers, coalesce(sum(y.revenue), 0)::double precision as revenue,
    coalesce(sum(y.revenue * y.revenue), 0)::double precision as revenue_squares
from year y;
