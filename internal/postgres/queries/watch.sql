-- The circuit breaker's counts and the compliance checks. All start from what was
-- lately sent as the history has it: it is append-only, so that its BRIN index finds
-- the latest rows, and touches need no index more. The instant is a parameter in each
-- condition: taken from a column, the planner could not see how late it is. Real
-- instants become business instants as clock.Scale has it:
-- origin + (real - base) * factor.

-- name: BreakerCounts :one
-- The touches of a channel that went out since an instant, and what became of those
-- same touches. Hard bounces are the reports that suppress an address.
select count(*)::int as sent, count(*) filter (where t.state in ('delivered', 'complained'))::int as delivered,
    count(*) filter (where t.state = 'complained')::int as complained,
    (select count(distinct p.touch_id) from provider_events p join touches b on b.id = p.touch_id
        where p.kind = 'bounced' and p.at >= @since::timestamptz and b.sent_at >= @since::timestamptz and b.channel = @channel::text)::int as bounced
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id
where t.sent_at >= @since::timestamptz and t.channel = @channel::text and touch_holds_slot(t.state);

-- name: SentWithoutConsent :many
-- Marketing on a channel that needs consent which nobody gave, or which had been
-- taken back as far as we knew when the touch went out. A later grant counts; 1970
-- stands for consent that was never given.
with given as (
    select @origin::timestamptz as origin, @base::timestamptz as base, @factor::float8 as factor, @grace::interval as grace
)
select t.id, t.sent_at::timestamptz as at, coalesce(max(o.at), to_timestamp(0))::timestamptz as withdrawn_at
from given v cross join (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id
left join consents k on k.customer_id = t.customer_id and k.channel = t.channel
left join opt_outs o on o.customer_id = t.customer_id and o.channel = t.channel
    and greatest(o.at, v.origin + (o.learnt_at - v.base) * v.factor) < t.sent_at - v.grace
    and not (k.state = 'granted' and k.at > o.at and k.at <= t.sent_at)
where t.sent_at >= @since::timestamptz and t.class not in ('transactional', 'reply') and touch_holds_slot(t.state)
and t.channel <> all(@exempt::text[]) and (k.customer_id is null or o.customer_id is not null)
group by t.id order by t.id limit 1000;

-- name: SentToSuppressed :many
-- Marketing to an address that was suppressed as far as we knew. An erased
-- customer's address is gone and cannot be compared.
with given as (
    select @origin::timestamptz as origin, @base::timestamptz as base, @factor::float8 as factor, @grace::interval as grace
)
select t.id, t.sent_at::timestamptz as at, min(o.at)::timestamptz as suppressed_at
from given v cross join (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id join customers c on c.id = t.customer_id
join opt_outs o on o.channel = t.channel and o.address_hash = address_hash(address_of(t.channel, c.email, c.phone, c.id))
where t.sent_at >= @since::timestamptz and t.class not in ('transactional', 'reply') and touch_holds_slot(t.state)
and greatest(o.at, v.origin + (o.learnt_at - v.base) * v.factor) < t.sent_at - v.grace
group by t.id order by t.id limit 1000;

-- name: SentToHoldout :many
-- Marketing to customers who were held out of the journey.
select t.id, t.sent_at::timestamptz as at, r.arm
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id join journey_runs r on r.id = t.run_id
where t.sent_at >= @since::timestamptz and t.class not in ('transactional', 'reply') and touch_holds_slot(t.state)
and r.arm <> 'treated' order by t.id limit 1000;

-- name: SentOverCap :many
-- Counts every cap again that a touch had to stay below when it was reserved.
-- Whose reservation came first is decided by the order of the histories.
select t.id, t.sent_at::timestamptz as at, min(w.cap)::text as cap, min(w."limit")::int as allowed
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id
cross join lateral jsonb_to_recordset(t.caps) as w(cap text, channel text, tag text, since timestamptz, "limit" int)
where t.sent_at >= @since::timestamptz and touch_holds_slot(t.state)
and w."limit" <= (
    select count(*) from touches o
    where o.customer_id = t.customer_id and o.reserved_at > w.since and o.id <> t.id and o.class = 'marketing' and touch_holds_slot(o.state)
    and (coalesce(w.channel, '') = '' or o.channel = w.channel) and (coalesce(w.tag, '') = '' or w.tag = any(o.tags))
    and (select max(h.seq) from touch_history h where h.touch_id = o.id and h.state = 'reserved')
        < (select max(h.seq) from touch_history h where h.touch_id = t.id and h.state = 'reserved')
    and exists (
        select from (select max(h.seq) as seq from touch_history h where h.touch_id = t.id and h.state = 'reserved') r
        where touch_owner(o.id, o.customer_id, r.seq) = touch_owner(t.id, t.customer_id, r.seq)))
group by t.id order by t.id limit 1000;

-- name: SentTwice :many
-- Touches that went to their provider again without a definite refusal in between.
select t.id, t.sent_at::timestamptz as at
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id
where t.sent_at >= @since::timestamptz and t.attempts > 1 and exists (
    select from (
        select h.state, lag(h.state) over (order by h.seq) as before
        from touch_history h where h.touch_id = t.id and h.state in ('sending', 'accepted', 'unconfirmed', 'refused', 'deferred', 'delivered')
    ) s where s.state = 'sending' and s.before is not null and s.before <> 'deferred')
order by t.id limit 1000;

-- name: SentWithUnapprovedCopy :many
select t.id, t.sent_at::timestamptz as at, c.status
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id join creatives c on c.id = t.creative_id
where t.sent_at >= @since::timestamptz and touch_holds_slot(t.state) and c.status in ('draft', 'in_review')
order by t.id limit 1000;

-- name: SentWhen :many
-- Where and when marketing went out, in minutes: what quiet hours are judged on.
-- Customers who were erased meanwhile have no place any more.
select t.channel, c.country, c.region, c.time_zone, date_trunc('minute', t.sent_at)::timestamptz as minute,
    min(t.id::text)::uuid as touch_id, count(*)::int as touches
from (select distinct h.touch_id from touch_history h where h.at >= @since::timestamptz and h.state = 'sending') x join touches t on t.id = x.touch_id join customers c on c.id = t.customer_id
where t.sent_at >= @since::timestamptz and t.class not in ('transactional', 'reply') and touch_holds_slot(t.state)
and c.erased_at is null and t.channel = any(@channels::text[])
group by 1, 2, 3, 4, 5 order by 5;

-- name: SaveViolations :many
insert into violations (touch_id, rule, at, found_at, detail)
select b.touch_id, b.rule, b.at, b.found_at, b.detail from jsonb_populate_recordset(null::violations, @batch::jsonb) b
on conflict (touch_id, rule) do nothing
returning *;

-- name: Violations :many
select * from violations where found_at >= @since::timestamptz and found_at < @until::timestamptz
order by found_at desc, touch_id limit sqlc.arg('n');
