-- The circuit breaker's counts and the compliance checks. All start from what was
-- lately sent as the history has it: it is append-only, so that its BRIN index finds
-- the latest rows, and touches need no index more. The instant is a parameter in each
-- condition: taken from a column, the planner could not see how late it is. Real
-- instants become business instants as clock.Scale has it:
-- origin + (real - base) * factor.

-- name: BreakerCounts :many
-- For every window, the touches of a channel that went out since its instant, and
-- what became of those same touches. Hard bounces are the reports that suppress an
-- address.
with windows as (
    select unnest(@since::timestamptz[]) as since
), sent as materialized (
    select t.id, t.sent_at, t.state
    from (select distinct h.touch_id from touch_history h
        where h.at >= (select min(w.since) from windows w) and h.state = 'sending') x
    join touches t on t.id = x.touch_id
    where t.sent_at >= (select min(w.since) from windows w) and t.channel = @channel::text and touch_holds_slot(t.state)
), bounced as materialized (
    select p.touch_id, p.at, b.sent_at from provider_events p join touches b on b.id = p.touch_id
    where p.kind = 'bounced' and p.at >= (select min(w.since) from windows w) and b.channel = @channel::text
)
select w.since::timestamptz as since, count(s.id)::int as sent, count(s.id) filter (where s.state in ('delivered', 'complained'))::int as delivered,
    count(s.id) filter (where s.state = 'complained')::int as complained,
    (select count(distinct b.touch_id) from bounced b where b.at >= w.since and b.sent_at >= w.since)::int as bounced
from windows w left join sent s on s.sent_at >= w.since
group by w.since order by w.since;

-- name: Breaches :many
-- Touches that should not have gone out, by every rule that the rows prove by
-- themselves, a thousand per rule at most. What went out is read once.
with given as (
    select @origin::timestamptz as origin, @base::timestamptz as base, @factor::float8 as factor, @grace::interval as grace
), answered as (
    -- What was settled by transactions that the inspection before did not see, each
    -- touch once; a report that was faster than the provider's answer settles too.
    select distinct h.touch_id from touch_history h
    where (@horizon::bigint = 0 and h.at >= @since::timestamptz or @horizon::bigint > 0 and h.tx >= @horizon::bigint)
    and (h.state in ('accepted', 'unconfirmed') or h.state in ('delivered', 'bounced', 'complained') and not exists (
        select from touch_history e where e.touch_id = h.touch_id and e.state in ('accepted', 'unconfirmed')))
), went as materialized (
    select t.id, t.customer_id, t.run_id, t.channel, t.creative_id, t.caps, t.attempts, t.sent_at,
        touch_holds_slot(t.state) as held, t.class not in ('transactional', 'reply') as marketing
    from answered x join touches t on t.id = x.touch_id
    where t.sent_at >= @since::timestamptz
), without_consent as (
    -- Marketing on a channel that needs consent which nobody gave, or which had been
    -- taken back as far as we knew when the touch went out. A later grant counts.
    select t.id, t.sent_at, max(o.at) as withdrawn_at
    from given v cross join went t
    left join consents k on k.customer_id = t.customer_id and k.channel = t.channel
    left join opt_outs o on o.customer_id = t.customer_id and o.channel = t.channel
        and greatest(o.at, v.origin + (o.learnt_at - v.base) * v.factor) < t.sent_at - v.grace
        and not (k.state = 'granted' and k.at > o.at and k.at <= t.sent_at)
    where t.marketing and t.held and t.channel <> all(@exempt::text[]) and (k.customer_id is null or k.state = 'pending' or o.customer_id is not null)
    group by t.id, t.sent_at order by t.id limit 1000
), suppressed as (
    -- Marketing to an address that was suppressed as far as we knew. An erased
    -- customer's address is gone and cannot be compared.
    select t.id, t.sent_at, min(o.at) as suppressed_at
    from given v cross join went t join customers c on c.id = t.customer_id
    join opt_outs o on o.channel = t.channel and o.address_hash = address_hash(address_of(t.channel, c.email, c.phone, c.id))
    where t.marketing and t.held and greatest(o.at, v.origin + (o.learnt_at - v.base) * v.factor) < t.sent_at - v.grace
    group by t.id, t.sent_at order by t.id limit 1000
), held_out as (
    -- Marketing to customers who were held out of the journey.
    select t.id, t.sent_at, r.arm from went t join journey_runs r on r.id = t.run_id
    where t.marketing and t.held and r.arm <> 'treated' order by t.id limit 1000
), over_cap as (
    -- Counts every cap again that a touch had to stay below when it was reserved, of
    -- customers with other touches. Whose reservation came first is decided by the
    -- order of the histories. The look-ups stay look-ups, whatever the planner believes
    -- of a table that grows faster than its statistics.
    select t.id, t.sent_at, min(w.cap) as cap, min(w."limit") as allowed
    from went t cross join lateral jsonb_to_recordset(t.caps) as w(cap text, channel text, tag text, since timestamptz, "limit" int)
    where t.held and exists (select from touches o where o.customer_id = t.customer_id and o.reserved_at is not null and o.id <> t.id offset 0)
    and w."limit" <= (
        select count(*) from touches o
        where o.customer_id = t.customer_id and o.reserved_at > w.since and o.id <> t.id and o.class = 'marketing' and touch_holds_slot(o.state)
        and (coalesce(w.channel, '') = '' or o.channel = w.channel) and (coalesce(w.tag, '') = '' or w.tag = any(o.tags))
        and (select max(h.seq) from touch_history h where h.touch_id = o.id and h.state = 'sending')
            < (select max(h.seq) from touch_history h where h.touch_id = t.id and h.state = 'sending')
        and exists (
            select from (select max(h.seq) as seq from touch_history h where h.touch_id = t.id and h.state = 'sending') r
            where touch_owner(o.id, o.customer_id, r.seq) = touch_owner(t.id, t.customer_id, r.seq)))
    group by t.id, t.sent_at order by t.id limit 1000
), twice as (
    -- Touches that went to their provider again without a definite refusal in between.
    select t.id, t.sent_at from went t
    where t.attempts > 1 and exists (
        select from (
            select h.state, lag(h.state) over (order by h.seq) as before
            from touch_history h where h.touch_id = t.id and h.state in ('sending', 'accepted', 'unconfirmed', 'refused', 'deferred', 'delivered')
        ) s where s.state = 'sending' and s.before is not null and s.before <> 'deferred')
    order by t.id limit 1000
), unapproved as (
    select t.id, t.sent_at, c.status from went t join creatives c on c.id = t.creative_id
    where t.held and c.status in ('draft', 'in_review') order by t.id limit 1000
)
select b.rule::text as rule, b.id::uuid as id, b.sent_at::timestamptz as at, b.detail::text as detail from (
    select 'consent' as rule, id, sent_at, coalesce('consent was withdrawn at ' || rfc3339(withdrawn_at), 'nobody gave consent for this channel') as detail from without_consent
    union all select 'suppression', id, sent_at, 'the address was suppressed at ' || rfc3339(suppressed_at) from suppressed
    union all select 'holdout', id, sent_at, 'the customer is in arm ' || arm || ', which receives nothing' from held_out
    union all select 'frequency-cap', id, sent_at, 'cap ' || cap || ' allows ' || allowed || ' and they were taken when it was reserved' from over_cap
    union all select 'sent-once', id, sent_at, 'it went to its provider again without a definite refusal in between' from twice
    union all select 'unapproved', id, sent_at, 'its copy is ' || status from unapproved
) b order by b.rule, b.id;

-- name: SentWhen :many
-- Where and when marketing went out, in minutes: what quiet hours are judged on.
-- Customers who were erased meanwhile have no place any more.
select t.channel, c.country, c.region, c.time_zone, date_trunc('minute', t.sent_at)::timestamptz as minute,
    min(t.id::text)::uuid as touch_id, count(*)::int as touches
from (
    select distinct h.touch_id from touch_history h
    where (@horizon::bigint = 0 and h.at >= @since::timestamptz or @horizon::bigint > 0 and h.tx >= @horizon::bigint)
    and h.state in ('accepted', 'unconfirmed', 'delivered', 'bounced', 'complained')
) x join touches t on t.id = x.touch_id join customers c on c.id = t.customer_id
where t.sent_at >= @since::timestamptz and t.class not in ('transactional', 'reply') and touch_holds_slot(t.state)
and c.erased_at is null and t.channel = any(@channels::text[])
group by 1, 2, 3, 4, 5 order by 5;

-- name: InspectionHorizon :one
-- What this snapshot does not see was written by transactions from here on.
select pg_snapshot_xmin(pg_current_snapshot())::text::bigint;

-- name: SaveViolations :many
insert into violations (touch_id, rule, at, found_at, detail)
select b.touch_id, b.rule, b.at, b.found_at, b.detail from jsonb_populate_recordset(null::violations, @batch::jsonb) b
on conflict (touch_id, rule) do nothing
returning *;

-- name: Violations :many
select * from violations where found_at >= @since::timestamptz and found_at < @until::timestamptz
order by found_at desc, touch_id limit sqlc.arg('n');
