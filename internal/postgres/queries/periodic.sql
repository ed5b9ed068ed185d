-- Reviews of weeks and months: what they compare, and where they are kept.

-- name: TouchGroups :many
-- Marketing touches sent in a period, with the orders credited to them by last
-- touch as in ReportCredits, by each of several dimensions. The unit of the sums
-- is the touch.
with sent as (
    select t.id, t.journey, t.agent, t.channel, t.offer_id, t.group_key, t.slot, t.clicked_at
    from touches t
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) >= @since::timestamptz and coalesce(t.sent_at, t.sending_at) < @until::timestamptz
), credited as (
    select distinct on (o.external_id) t.id, o.total
    from orders o join touches t on t.customer_id = o.customer_id
    where o.at >= @since::timestamptz and o.at < @until::timestamptz and o.currency = @currency::text
    and t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) < o.at
    and coalesce(t.sent_at, t.sending_at) >= o.at - @attribution::interval
    order by o.external_id, coalesce(t.sent_at, t.sending_at) desc, t.id desc
), earned as (
    select c.id, sum(c.total)::double precision as revenue, max(c.total) > 0 as converted from credited c group by c.id
)
select d.dimension::text as dimension, d.name::text as name, count(*)::int as touches,
    count(*) filter (where e.converted)::int as converted, count(s.clicked_at)::int as clicked,
    coalesce(sum(e.revenue), 0)::double precision as revenue,
    coalesce(sum(e.revenue * e.revenue), 0)::double precision as revenue_squares
from sent s left join earned e on e.id = s.id
cross join lateral (values ('cohort', s.group_key), ('agent', s.agent), ('journey', s.journey), ('channel', s.channel),
    ('offer', s.offer_id), ('slot', s.slot)) d(dimension, name)
group by 1, 2 order by 1, 2;

-- name: SaveReport :exec
insert into reports (kind, since, until, made_at, body) values (@kind, @since, @until, @made_at, @body::jsonb)
on conflict (kind, since) do update set until = excluded.until, made_at = excluded.made_at, body = excluded.body;

-- name: Report :one
select * from reports where kind = @kind and since = @since;

-- name: ReportList :many
select kind, since, until, made_at from reports order by since desc, kind limit sqlc.arg('n');
