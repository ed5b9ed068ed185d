-- Reads of the console that show a window of a large table: every one follows an
-- index and stops after a page.

-- name: LogLatest :many
select * from decision_log d where d.seq < @before order by d.seq desc limit sqlc.arg('n');

-- name: LogOfPeople :many
select * from decision_log d where d.seq < @before and d.customer_id is null and d.actor <> 'engine' order by d.seq desc limit sqlc.arg('n');

-- name: LogOfKind :many
select * from decision_log d
where d.kind = @kind and (d.at, d.seq) < (@before_at::timestamptz, @before_seq::bigint)
order by d.at desc, d.seq desc limit sqlc.arg('n');

-- name: LogOfCustomer :many
select * from decision_log d
where d.customer_id = any(array(select c.id from customers c where c.id = @customer_id::uuid or c.merged_into = @customer_id::uuid))
and (d.at, d.seq) < (@before_at::timestamptz, @before_seq::bigint)
order by d.at desc, d.seq desc limit sqlc.arg('n');

-- name: LogEntries :many
select * from decision_log d where d.seq = any(@seqs::bigint[]) order by d.seq desc;

-- name: LogKinds :many
-- Every kind there is, by skipping from one to the next in the index.
with recursive kinds as (
    (select d.kind from decision_log d order by d.kind limit 1)
    union all
    select (select d.kind from decision_log d where d.kind > k.kind order by d.kind limit 1) from kinds k where k.kind is not null
)
select k.kind::text as kind from kinds k where k.kind is not null;

-- name: CustomersFrom :many
-- The operators compare bytes, as the index customers_external_prefix does.
select c.id, c.external_id, c.erased_at from customers c
where c.external_id ~>=~ @first::text and c.external_id ~<~ @last::text
order by c.external_id using ~<~ limit sqlc.arg('n');

-- name: ApprovedCopy :one
-- The copy of a slot, channel and offer that was approved last before an instant.
select sqlc.embed(c), r.decided_at, r.decided_by from creatives c
left join reviews r on r.creative_id = c.id and r.status = 'approved'
where c.slot = @slot and c.status in ('approved', 'retired') and c.approved_by <> '' and c.channel = @channel and c.offer_id = @offer_id
and c.id <> @id and c.created_at < @before::timestamptz
order by c.created_at desc limit 1;

-- name: ReviewsDecided :many
select sqlc.embed(r), (select count(*) from review_waiters w where w.review_id = r.id)::int as waiting
from reviews r where r.decided_at is not null and r.decided_at < @before::timestamptz
order by r.decided_at desc, r.id limit sqlc.arg('n');

-- name: RuleObjections :many
-- A guardrail's objections in a period with its latest entries.
with objections as (
    select d.seq, d.at, d.touch_id, f.finding ->> 'rule' as rule, f.finding ->> 'outcome' as outcome
    from decision_log d
    cross join lateral jsonb_path_query(d.body::jsonb, '$.verdict.findings[*]') as f(finding)
    where d.kind in ('touch.blocked', 'touch.deferred', 'touch.in_review') and f.finding ->> 'outcome' <> 'allow'
    and d.at >= @since::timestamptz and d.at < @until::timestamptz
)
select o.rule::text as rule, o.outcome::text as outcome, count(*)::int as findings, count(distinct o.touch_id)::int as touches,
    ((array_agg(o.seq order by o.at desc, o.seq desc))[1:@examples::int])::bigint[] as latest
from objections o group by 1, 2 order by 3 desc, 1, 2;

-- name: WeeklyEntered :many
-- Customers by the week of their very first run and its arm; those who entered
-- before the period count into week 0.
with first as (
    select distinct on (r.customer_id) r.customer_id, r.arm, r.entered_at from journey_runs r
    where r.entered_at < @until::timestamptz order by r.customer_id, r.entered_at, r.id
)
select (f.arm = 'global_holdout')::boolean as held,
    greatest(floor(extract(epoch from f.entered_at - @since::timestamptz) / 604800), 0)::int as week, count(*)::int as customers
from first f group by 1, 2 order by 1, 2;

-- name: WeeklyRevenue :many
-- What those customers bought per week, from their first run on: the sum over
-- customers, and the sum of squares of each customer's revenue of the week.
with first as (
    select distinct on (r.customer_id) r.customer_id, r.arm, r.entered_at from journey_runs r
    where r.entered_at < @until::timestamptz order by r.customer_id, r.entered_at, r.id
), bought as (
    select f.arm = 'global_holdout' as held, floor(extract(epoch from o.at - @since::timestamptz) / 604800)::int as week,
        sum(o.total)::double precision as revenue
    from first f join orders o on o.customer_id = f.customer_id and o.at > f.entered_at
    where o.at >= @since::timestamptz and o.at < @until::timestamptz and o.currency = @currency::text
    group by 1, 2, f.customer_id
)
select b.held::boolean as held, b.week::int as week, sum(b.revenue)::double precision as revenue,
    sum(b.revenue * b.revenue)::double precision as revenue_squares
from bought b group by 1, 2 order by 1, 2;

-- name: AwaitingReviews :one
select count(*)::int from reviews r where r.status = 'awaiting';

-- name: CreativesByID :many
select * from creatives where id = any(@ids::uuid[]);
