-- name: Situations :many
-- Everything a decision about these runs may depend on, in one statement and so
-- in one snapshot; each part is an index lookup per run. The ids come from unnest
-- alone: the planner then expects ten rows, not a thousand, and stays with indexes.
select sqlc.embed(r), sqlc.embed(c), sqlc.embed(s),
    (select coalesce(jsonb_agg(k), '[]') from consents k where k.customer_id = r.customer_id)::jsonb as consents,
    (select to_jsonb(w) from wishes w where w.customer_id = r.customer_id)::jsonb as wishes,
    (select to_jsonb(k) from carts k where k.customer_id = r.customer_id)::jsonb as cart,
    (select coalesce(jsonb_object_agg(a.name, a.weight), '{}') from customer_affinities a where a.customer_id = r.customer_id)::jsonb as affinities,
    (select coalesce(jsonb_agg(jsonb_build_object('channel', p.channel, 'reason', p.reason, 'at', p.at) order by p.channel), '[]')
        from (select unnest(array['email', 'sms', 'whatsapp', 'push', 'web']) as channel) h
        cross join lateral (select o.channel, o.reason, o.at from suppressions o where o.channel = h.channel
            and o.address_hash = address_hash(address_of(h.channel, c.email, c.phone, c.id)) offset 0) p)::jsonb as suppressed,
    (select coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'channel', t.channel, 'class', t.class, 'tags', t.tags,
            'slot', t.slot, 'content_hash', t.content_hash, 'offer_id', t.offer_id, 'state', t.state,
            'reserved_at', t.reserved_at, 'sent_at', t.sent_at) order by t.reserved_at, t.id), '[]')
        from touches t where t.customer_id = r.customer_id and t.reserved_at > @recent::timestamptz
        and touch_holds_slot(t.state))::jsonb as recent,
    (select coalesce(jsonb_agg(jsonb_build_object('id', e.id, 'customer_id', e.customer_id, 'name', e.name,
            'occurred_at', e.occurred_at, 'received_at', e.received_at, 'source', e.source,
            'properties', e.properties) order by e.occurred_at, e.id), '[]')
        from events e where e.customer_id = r.customer_id and e.occurred_at >= r.entered_at
        and e.name = any(j.listens) and e.id is distinct from r.entry_event_id)::jsonb as events,
    (select to_jsonb(t) from touches t where t.customer_id = r.customer_id and t.run_id = r.id and t.step = r.step
        order by t.planned_at desc limit 1)::jsonb as touch,
    exists (select from orders o where o.customer_id = r.customer_id and o.total > 0 and o.at > coalesce(
        (select max(t.sent_at) from touches t where t.customer_id = r.customer_id and t.run_id = r.id), r.entered_at)) as converted
from (select unnest(@ids::uuid[]) as id) x
join journey_runs r on r.id = x.id
join customers c on c.id = r.customer_id
join customer_stats s on s.customer_id = r.customer_id
left join journeys j on j.name = r.journey and j.version = r.version
order by array_position(@ids::uuid[], x.id);
