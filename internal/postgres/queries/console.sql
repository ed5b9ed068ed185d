-- Reads for people: counts, funnels and lookups that no worker runs.

-- name: JourneyCounts :many
select r.journey, count(*)::int as entered,
    count(*) filter (where r.status = 'pending')::int as pending,
    count(*) filter (where r.status = 'running')::int as running,
    count(*) filter (where r.status = 'ended' and r.arm = 'treated')::int as ended,
    count(*) filter (where r.held)::int as held,
    count(*) filter (where r.arm <> 'treated')::int as held_out,
    count(r.converted_at)::int as converted
from journey_runs r group by r.journey order by r.journey;

-- name: CampaignCounts :many
select r.campaign, count(*)::int as entered,
    count(*) filter (where r.status = 'pending')::int as pending,
    count(*) filter (where r.status = 'running')::int as running,
    count(*) filter (where r.status = 'ended' and r.arm = 'treated')::int as ended,
    count(*) filter (where r.held)::int as held,
    count(*) filter (where r.arm <> 'treated')::int as held_out,
    count(r.converted_at)::int as converted
from journey_runs r where r.campaign <> '' group by r.campaign order by r.campaign;

-- name: Funnel :many
select r.version, r.arm, r.status, r.step, r.end_reason, count(*)::int as runs, count(r.converted_at)::int as converted
from journey_runs r where r.journey = @journey
group by r.version, r.arm, r.status, r.step, r.end_reason
order by r.version desc, r.arm desc, r.status desc, r.step, r.end_reason;

-- name: JourneyVersions :many
select * from journeys where name = @name order by version desc;

-- name: EntryEvents :one
select count(*)::int as events, count(distinct e.customer_id)::int as customers from events e
where e.name = @name and e.occurred_at >= @since::timestamptz and e.occurred_at < @until::timestamptz;

-- name: EntryEventSample :many
select distinct e.customer_id from events e join customers c on c.id = e.customer_id
where e.name = @name and e.occurred_at >= @since::timestamptz and e.occurred_at < @until::timestamptz
and c.erased_at is null order by e.customer_id limit sqlc.arg('n');

-- name: ReviewsEnding :many
select r.id from reviews r where right(r.id::text, length(@ref::text)) = lower(@ref::text)
order by r.opened_at desc limit 2;

-- name: RunOfReviews :many
select w.review_id, w.run_id from review_waiters w join journey_runs r on r.id = w.run_id
where r.customer_id = @customer_id;

-- name: RunOfTouches :many
select t.id, t.run_id from touches t where t.customer_id = @customer_id;

-- name: ResponsesToTouch :many
select p.kind, p.machine, p.at, p.detail from provider_events p where p.touch_id = @touch_id::uuid order by p.at, p.dedupe_key;

-- name: DecisionsOfTouch :many
select * from decision_log d where d.customer_id = @customer_id::uuid and d.touch_id = @touch_id::uuid order by d.seq;

-- name: Rehearse :many
-- Lets customers enter as it were; the caller rolls it back.
insert into journey_runs (id, journey, version, customer_id, entry_key, arm, status, entered_at)
select new_id(), @journey::text, 0, c.id, 'rehearsal/' || c.id, 'treated', 'running', @at::timestamptz
from customers c where c.id = any(@customers::uuid[]) and c.erased_at is null
returning id;
