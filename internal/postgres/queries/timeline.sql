-- name: EventsOf :many
select id, name, occurred_at, source from events where customer_id = @customer_id order by occurred_at, id;

-- name: OrdersOf :many
select * from orders where customer_id = @customer_id order by at, external_id;

-- name: TouchesOf :many
select t.* from touches t where t.customer_id = @customer_id order by t.planned_at, t.id;

-- name: HistoryOf :many
select h.touch_id, h.at, h.state, h.reason from touch_history h
where h.touch_id = any(@touches::uuid[]) order by h.seq;

-- name: OutcomesOf :many
select * from provider_events where touch_id = any(@touches::uuid[]) order by at, dedupe_key;

-- name: ReviewsOf :many
select r.* from reviews r where r.id in (
    select w.review_id from review_waiters w where w.run_id = any(@runs::uuid[])) order by r.opened_at, r.id;

-- name: ConsentRecordsOf :many
select r.* from consent_records r
where r.customer_id in (select c.id from customers c where c.id = @customer_id or c.merged_into = @customer_id) order by r.at, r.id;

-- name: SuppressionsOf :many
select p.channel, p.reason, p.source, p.at
from customers c
cross join (select unnest(array['email', 'sms', 'whatsapp', 'push', 'web']) as channel) h
cross join lateral (select o.channel, o.reason, o.source, o.at from suppressions o where o.channel = h.channel
    and o.address_hash = address_hash(address_of(h.channel, c.email, c.phone, c.id)) offset 0) p
where c.id = @customer_id order by p.at, p.channel;
