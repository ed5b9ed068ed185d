-- name: UpsertCustomers :many
-- Empty fields keep what is stored; an erased customer stays erased.
insert into customers (id, external_id, email, phone, first_name, last_name, locale, country, region, postal_code,
    time_zone, attributes, created_at)
select b.id, b.external_id, b.email, b.phone, b.first_name, b.last_name, b.locale, b.country, b.region, b.postal_code,
    b.time_zone, b.attributes, coalesce(b.created_at, @at::timestamptz)
from jsonb_populate_recordset(null::customers, @batch::jsonb) b order by b.external_id
on conflict (external_id) do update set
    email       = coalesce(excluded.email, customers.email),
    phone       = coalesce(excluded.phone, customers.phone),
    first_name  = coalesce(nullif(excluded.first_name, ''), customers.first_name),
    last_name   = coalesce(nullif(excluded.last_name, ''), customers.last_name),
    locale      = coalesce(nullif(excluded.locale, ''), customers.locale),
    country     = coalesce(nullif(excluded.country, ''), customers.country),
    region      = coalesce(nullif(excluded.region, ''), customers.region),
    postal_code = coalesce(nullif(excluded.postal_code, ''), customers.postal_code),
    time_zone   = coalesce(nullif(excluded.time_zone, ''), customers.time_zone),
    attributes  = customers.attributes || excluded.attributes,
    created_at  = least(customers.created_at, excluded.created_at)
where customers.erased_at is null
returning id, (xmax = 0)::boolean as inserted;

-- name: EnsureCustomers :exec
insert into customers (id, external_id, created_at)
select b.id, b.external_id, b.created_at
from jsonb_populate_recordset(null::customers, @batch::jsonb) b order by b.external_id
on conflict (external_id) do nothing;

-- name: CustomerIDs :many
-- A name of a customer who was merged leads to the one who stayed.
select external_id, coalesce(merged_into, id)::uuid as id from customers where external_id = any(@external_ids::text[]);

-- name: MergedNames :many
select n.external_id as name, r.external_id from customers n join customers r on r.id = n.merged_into
where n.external_id = any(@external_ids::text[]);

-- name: Customer :one
select sqlc.embed(c), sqlc.embed(s),
    (select coalesce(jsonb_agg(k), '[]') from consents k where k.customer_id = c.id)::jsonb as consents,
    (select to_jsonb(w) from wishes w where w.customer_id = c.id)::jsonb as wishes,
    (select to_jsonb(k) from carts k where k.customer_id = c.id)::jsonb as cart,
    (select coalesce(jsonb_object_agg(a.name, a.weight), '{}') from customer_affinities a where a.customer_id = c.id)::jsonb as affinities
from customers c join customer_stats s on s.customer_id = c.id
where c.id = coalesce((select m.merged_into from customers m where m.id = @id), @id);

-- name: FindCustomers :many
select sqlc.embed(c), 1::int as place from customers n join customers c on c.id = coalesce(n.merged_into, n.id) where n.external_id = @ref::text
union all
select sqlc.embed(c), 2::int from customers n join customers c on c.id = coalesce(n.merged_into, n.id) where n.id = @id::uuid
union all
select sqlc.embed(c), 3::int from customers c where lower(c.email) = lower(@ref::text)
order by place limit 3;

-- name: Suppress :exec
insert into suppressions (channel, address_hash, reason, source, at)
values (@channel, address_hash(@address::text), @reason, @source, @at)
on conflict (channel, address_hash) do update set reason = excluded.reason, source = excluded.source, at = excluded.at
where (excluded.at, excluded.reason) < (suppressions.at, suppressions.reason);

-- name: LockStats :exec
select s.customer_id from customer_stats s where s.customer_id = any(@ids::uuid[]) order by s.customer_id for update;

-- name: AddOrdersToStats :exec
-- Sums, minima and maxima only, so that the order of arrival does not matter.
-- A purchase is an engagement signal of weight 1.5; refunds change revenue only.
with added as (
    select * from orders o where o.external_id = any(@external_ids::text[])
), newest as (
    select a.customer_id, sum(a.total) as revenue, max(a.currency) as currency,
        count(*) filter (where a.total > 0) as orders,
        min(a.at) filter (where a.total > 0) as first_at, max(a.at) filter (where a.total > 0) as last_at,
        (array_agg(a.first_item order by a.at desc, a.first_item desc) filter (where a.total > 0))[1] as last_item
    from added a group by a.customer_id
), weighed as (
    select n.customer_id, coalesce(sum(1.5 * engagement_left(a.at, n.last_at)) filter (where a.total > 0), 0) as weight
    from newest n join added a on a.customer_id = n.customer_id group by n.customer_id
)
update customer_stats c set
    orders_count = c.orders_count + n.orders::int,
    revenue = c.revenue + n.revenue::bigint,
    currency = coalesce(nullif(c.currency, ''), n.currency),
    first_order_at = least(c.first_order_at, n.first_at),
    last_item = case when n.last_at is null then c.last_item
        when c.last_order_at is null or (n.last_at, n.last_item) > (c.last_order_at, c.last_item) then n.last_item
        else c.last_item end,
    last_order_at = greatest(c.last_order_at, n.last_at),
    engagement_weight = case when n.last_at is null then c.engagement_weight
        else coalesce(c.engagement_weight * engagement_left(c.engagement_at, greatest(c.engagement_at, n.last_at)), 0)
            + w.weight * engagement_left(n.last_at, greatest(c.engagement_at, n.last_at)) end,
    engagement_at = greatest(c.engagement_at, n.last_at)
from newest n join weighed w on w.customer_id = n.customer_id where c.customer_id = n.customer_id;
