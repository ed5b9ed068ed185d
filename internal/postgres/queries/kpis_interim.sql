-- name: InterimKPIs :one
-- The few sums behind the interim KPIs; see kpis_interim.go.
with sent as (
    select t.channel, t.state from touches t
    where t.class = 'marketing' and touch_holds_slot(t.state) and t.state <> 'reserved'
    and coalesce(t.sent_at, t.sending_at) >= @since::timestamptz and coalesce(t.sent_at, t.sending_at) < @until::timestamptz
    and (@journey::text = '' or t.journey = @journey::text)
)
select count(*)::int as touches,
    count(*) filter (where channel = 'email' and state in ('delivered', 'bounced', 'complained'))::int as settled,
    count(*) filter (where channel = 'email' and state in ('delivered', 'complained'))::int as delivered,
    count(*) filter (where channel = 'email' and state = 'bounced')::int as bounced,
    count(*) filter (where channel = 'email' and state = 'complained')::int as complained
from sent;
