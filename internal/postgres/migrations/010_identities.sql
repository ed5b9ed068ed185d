-- Who is who among the ids that sources use, what shops do with carts and orders,
-- what customers look at, and the messages that were refused.

-------------------------------------------------------------- identities

-- A customer who was merged into another keeps the row as a name that leads there:
-- empty, and erased for everybody who does not ask. aliased_at is the latest alias
-- that is in the customer; its target is the external id. stated holds when each
-- value of the profile was stated by a tracked message, in microseconds since
-- 1970; minus that for a hint, which gives way to every statement.
alter table customers add column merged_into uuid references customers;
alter table customers add column aliased_at timestamptz;
alter table customers add column stated jsonb not null default '{}';
create index customers_merged on customers (merged_into) where merged_into is not null;

-- The browsers and devices that belong to a customer: each to the one with whom it
-- was seen first by its own time. The id is derived from the source's anonymous
-- id; external_id is whom the message named.
create table identities (
    visitor_id  uuid primary key,
    customer_id uuid not null,
    external_id text not null,
    seen_at     timestamptz not null
);
create index identities_customer on identities (customer_id);

-- Set where a message named nobody but a visitor: customer_id is the visitor's
-- owner, and the visitor itself as long as there is none.
alter table events add column visitor_id uuid;
create index events_visitor on events (visitor_id) where visitor_id is not null;
alter table orders add column visitor_id uuid;
create index orders_visitor on orders (visitor_id) where visitor_id is not null;

-- The latest statement about consent under each of the names of a customer who has
-- several.
create table consent_statements (
    external_id text not null,
    channel     text not null,
    state       text not null check (state in ('granted', 'withdrawn', 'pending')),
    at          timestamptz not null,
    source      text not null default '',
    wording     text not null default '',
    ip          text not null default '',
    basis       text not null default 'express',
    form        text not null default '',
    user_agent  text not null default '',
    confirmed_at timestamptz,
    primary key (external_id, channel)
);

-- Touches that changed hands in a merge: up to seq, a number of the touch histories,
-- a touch was that customer's. Caps are judged by whose a touch was at the time.
create table touch_moves (
    touch_id    uuid not null,
    seq         bigint not null,
    customer_id uuid not null,
    primary key (touch_id, seq)
);
create function touch_owner(touch uuid, owner uuid, at_seq bigint) returns uuid language sql stable parallel safe as $$
    select coalesce((select m.customer_id from touch_moves m where m.touch_id = touch and m.seq > at_seq order by m.seq limit 1), owner)
$$;

------------------------------------------------------------------ orders

-- of_order: the order that a refund or cancellation is about. remainder: it takes
-- back whatever is left of the order, so that its total follows from the others.
-- stated_at: when the total was stated, where that was after the order. placed:
-- at is the instant of the order itself, not of a change to it.
alter table orders add column of_order text;
alter table orders add column remainder boolean not null default false;
alter table orders add column stated_at timestamptz;
alter table orders add column placed boolean not null default true;
update orders set of_order = split_part(external_id, '/refund/', 1) where position('/refund/' in external_id) > 0;
create index orders_of on orders (of_order) where of_order is not null;

-- Orders that changed, as they were and as they are: their hours are summed anew.
create table rollup_order_marks (customer_id uuid not null, at timestamptz not null);
create function mark_order() returns trigger language plpgsql as $$
begin
    insert into rollup_order_marks values (old.customer_id, old.at), (new.customer_id, new.at);
    return null;
end $$;
create trigger orders_mark after update on orders for each row
    when ((old.customer_id, old.at, old.total) is distinct from (new.customer_id, new.at, new.total))
    execute function mark_order();
create trigger touches_mark_owner after update of customer_id on touches for each row
    when (old.customer_id <> new.customer_id) execute function mark_touch();

------------------------------------------------------- carts and affinities

-- What lies in a customer's cart, worked out from events; value in major units of
-- the currency of the shop.
create table carts (
    customer_id uuid primary key,
    cart_id     text not null default '',
    products    jsonb not null default '[]',
    items       int not null,
    value       double precision not null,
    changed_at  timestamptz not null
);

-- What a customer is interested in: a category, or the id of a product. The weight
-- is a sum of signals that halve every 30 days (lifecycle.AffinityHalfLife), as if
-- at the beginning of 2020: signals add up in any order.
create table customer_affinities (
    customer_id uuid not null,
    name        text not null,
    weight      double precision not null,
    primary key (customer_id, name)
);

-- A signal of weight 1 at an instant, brought to the beginning of 2020.
create function affinity_factor(at timestamptz) returns double precision language sql immutable parallel safe as $$
    select power(2::double precision, greatest(extract(epoch from at - '2020-01-01 00:00:00+00'::timestamptz)::double precision / 2592000, -100))
$$;

-- A JSON value as text, empty when it is neither a text nor a number.
create function scalar_text(v jsonb) returns text language sql immutable parallel safe as $$
    select case when jsonb_typeof(v) in ('string', 'number') then btrim(v #>> '{}') else '' end
$$;
-- A JSON number, or a text that is one; null otherwise.
create function scalar_number(v jsonb) returns double precision language sql immutable parallel safe as $$
    select case when jsonb_typeof(v) = 'number' and abs((v #>> '{}')::numeric) < 1e12 then (v #>> '{}')::double precision
        when jsonb_typeof(v) = 'string' and v #>> '{}' ~ '^-?[0-9]{1,12}(\.[0-9]{1,12})?$' then (v #>> '{}')::double precision end
$$;
-- By what a product is known: its id, else its sku, else its name.
create function product_key(product jsonb) returns text language sql immutable parallel safe as $$
    select coalesce(nullif(scalar_text(product -> 'product_id'), ''), nullif(scalar_text(product -> 'productId'), ''),
        nullif(scalar_text(product -> 'id'), ''), nullif(scalar_text(product -> 'sku'), ''), scalar_text(product -> 'name'))
$$;
-- The products of an event: its list, or itself.
create function event_products(properties jsonb) returns setof jsonb language sql immutable parallel safe as $$
    select p from jsonb_array_elements(case when jsonb_typeof(properties -> 'products') = 'array'
        then properties -> 'products' else jsonb_build_array(properties) end) p where jsonb_typeof(p) = 'object' limit 100
$$;
-- How much an event says about interest; null: nothing.
create function affinity_signal(event text) returns double precision language sql immutable parallel safe as $$
    select case event when 'Product List Viewed' then 0.5 when 'Product Clicked' then 1 when 'Product Viewed' then 1
        when 'Product Added to Wishlist' then 2 when 'Product Added' then 3 when 'Order Completed' then 5 end::double precision
$$;
-- The interests an event shows: the category and the product, each once.
create function event_affinities(event text, properties jsonb) returns table (name text, weight double precision)
    language sql immutable parallel safe as $$
    select distinct left(n.name, 100), affinity_signal(event)
    from event_products(properties) p
    cross join lateral (values (scalar_text(p -> 'category')),
        (case when event = 'Product List Viewed' and not properties ? 'products' then '' else product_key(p) end)) n (name)
    where n.name <> '' and affinity_signal(event) is not null
    union
    select left(scalar_text(properties -> 'category'), 100), affinity_signal(event)
    where scalar_text(properties -> 'category') <> '' and affinity_signal(event) is not null
$$;

-- Events that change what lies in a cart.
create function cart_event(event text) returns boolean language sql immutable parallel safe as $$
    select event in ('Product Added', 'Product Removed', 'Cart Viewed', 'Checkout Started', 'Order Completed')
$$;

-- Works out the carts of customers from their events of 30 days. A list of
-- products (Cart Viewed, Checkout Started) says what lies in the cart, an order
-- empties it, and what was added and removed since comes on top.
create function refresh_carts(customers uuid[], now timestamptz) returns void language sql as $$
    with base as (
        select c.id as customer_id, b.id as event_id, b.name, b.occurred_at, b.properties
        from (select distinct id from unnest(customers) id) c left join lateral (
            select e.id, e.name, e.occurred_at, e.properties from events e
            where e.customer_id = c.id and e.occurred_at > now - interval '30 days'
            and (e.name = 'Order Completed' or e.name in ('Cart Viewed', 'Checkout Started') and jsonb_typeof(e.properties -> 'products') = 'array')
            order by e.occurred_at desc, e.id desc limit 1
        ) b on true
    ), lines as (
        select b.customer_id, p.product, coalesce(scalar_number(p.product -> 'quantity'), 1) as quantity, b.occurred_at, b.event_id
        from base b cross join lateral event_products(b.properties) p (product) where b.name <> 'Order Completed'
        union all
        select b.customer_id, p.product, case e.name when 'Product Added' then 1 else -1 end
            * coalesce(scalar_number(p.product -> 'quantity'), 1), e.occurred_at, e.id
        from base b join events e on e.customer_id = b.customer_id and e.occurred_at > now - interval '30 days'
            and (b.event_id is null or (e.occurred_at, e.id) > (b.occurred_at, b.event_id))
        cross join lateral event_products(e.properties) p (product)
        where e.name in ('Product Added', 'Product Removed')
    ), products as (
        select l.customer_id, product_key(l.product) as key, sum(l.quantity) as quantity,
            (array_agg(scalar_number(l.product -> 'price') order by l.occurred_at desc, l.event_id desc, l.product desc)
                filter (where l.product ? 'price'))[1] as price,
            (array_agg(scalar_text(l.product -> 'name') order by l.occurred_at desc, l.event_id desc, l.product desc)
                filter (where l.product ? 'name'))[1] as name
        from lines l where product_key(l.product) <> '' group by 1, 2 having sum(l.quantity) > 0
    ), latest as (
        select b.customer_id, max(e.occurred_at) as at,
            (array_agg(scalar_text(e.properties -> 'cart_id') order by e.occurred_at desc, e.id desc)
                filter (where e.properties ? 'cart_id'))[1] as cart_id
        from base b join events e on e.customer_id = b.customer_id and e.occurred_at > now - interval '30 days' and cart_event(e.name)
        group by 1
    ), full_carts as (
        select p.customer_id, l.cart_id, l.at,
            jsonb_agg(jsonb_strip_nulls(jsonb_build_object('product_id', left(p.key, 200), 'name', left(p.name, 200),
                'quantity', p.quantity, 'price', p.price)) order by p.key) as products,
            least(sum(p.quantity), 1e9) as items, round(sum(p.quantity * coalesce(p.price, 0))::numeric, 6)::double precision as value
        from products p join latest l on l.customer_id = p.customer_id group by 1, 2, 3
    ), emptied as (
        delete from carts k where k.customer_id = any(customers) and k.customer_id not in (select f.customer_id from full_carts f)
    )
    insert into carts (customer_id, cart_id, products, items, value, changed_at)
    select f.customer_id, left(coalesce(f.cart_id, ''), 200), f.products, round(f.items)::int, greatest(least(f.value, 1e12), 0), f.at
    from full_carts f order by f.customer_id
    on conflict (customer_id) do update set cart_id = excluded.cart_id, products = excluded.products,
        items = excluded.items, value = excluded.value, changed_at = excluded.changed_at
$$;

------------------------------------------------------------ refused messages

-- Messages of the tracking API that could not be used, until they are tried again
-- or grow old. body may hold personal data: external_id is for erasure.
create table rejected_messages (
    id          bigint generated always as identity primary key,
    received_at timestamptz not null,
    key_name    text not null default '',
    door        text not null,
    sent_at     text not null default '',
    external_id text not null default '',
    reason      text not null,
    body        text not null,
    attempts    int not null default 0,
    tried_at    timestamptz
);
create index rejected_messages_customer on rejected_messages (external_id) where external_id <> '';
