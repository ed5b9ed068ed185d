-- name: SaveHeartbeats :exec
-- Several processes look; a component that any of them reached was up.
insert into heartbeats (component, minute, up)
select b.component, b.minute, b.up from jsonb_populate_recordset(null::heartbeats, @batch::jsonb) b order by b.component, b.minute
on conflict (component, minute) do update set up = heartbeats.up or excluded.up;

-- name: AddLatencies :exec
insert into latencies (what, hour, bucket, n)
select b.what, b.hour, b.bucket, b.n from jsonb_populate_recordset(null::latencies, @batch::jsonb) b order by b.what, b.hour, b.bucket
on conflict (what, hour, bucket) do update set n = latencies.n + excluded.n;

-- name: Uptimes :many
-- First is the first minute ever in which somebody looked.
select x.component::text as component,
    count(h.minute) filter (where h.up)::int as up, count(h.minute)::int as seen,
    (select min(f.minute) from heartbeats f where f.component = x.component)::timestamptz as first
from (select unnest(@components::text[]) as component) x
left join heartbeats h on h.component = x.component and h.minute >= @since::timestamptz and h.minute < @until::timestamptz
where exists (select from heartbeats f where f.component = x.component)
group by x.component order by x.component;

-- name: RecentHeartbeats :many
select * from heartbeats h where h.minute >= @since::timestamptz order by h.component, h.minute;

-- name: LatencyBuckets :many
select l.what, l.bucket, sum(l.n)::bigint as n from latencies l
where l.hour >= @since::timestamptz and l.hour < @until::timestamptz group by l.what, l.bucket order by l.what, l.bucket;

-- name: ReviewTimes :one
select count(*)::int as n, count(*) filter (where r.decided_at <= r.due_at)::int as in_time,
    coalesce(percentile_cont(0.5) within group (order by extract(epoch from r.decided_at - r.opened_at)::double precision), 0)::double precision as p50,
    coalesce(percentile_cont(0.95) within group (order by extract(epoch from r.decided_at - r.opened_at)::double precision), 0)::double precision as p95
from reviews r where r.opened_at >= @since::timestamptz and r.opened_at < @until::timestamptz
and r.status in ('approved', 'rejected') and r.decided_at is not null;
