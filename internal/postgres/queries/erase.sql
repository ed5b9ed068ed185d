-- name: EraseProfile :execrows
-- An external id that is an address itself goes too.
update customers c set email = null, phone = null, first_name = '', last_name = '', locale = '', country = '',
    region = '', postal_code = '', time_zone = '', attributes = '{}', erased_at = coalesce(c.erased_at, @at::timestamptz),
    external_id = case when position('@' in c.external_id) > 0 or c.external_id = c.email or c.external_id = c.phone
        then 'erased:' || c.id else c.external_id end, stated = '{}'
where c.id = @id or c.merged_into = @id;

-- name: NamesOf :many
select external_id from customers where id = @id or merged_into = @id;

-- name: EraseConsentStatements :exec
delete from consent_statements where external_id = any(@names::text[]);

-- name: EraseIdentities :exec
update identities set external_id = '' where customer_id = @id;

-- name: EraseCart :exec
delete from carts where customer_id = @id;

-- name: EraseAffinities :exec
delete from customer_affinities where customer_id = @id;

-- name: EraseStats :exec
update customer_stats set last_item = '' where customer_id = @id;

-- name: EraseConsents :exec
update consents set state = 'withdrawn', at = greatest(at, @at::timestamptz), source = 'erasure', wording = '', ip = '', user_agent = ''
where customer_id = @id and (state, wording, ip, user_agent) is distinct from ('withdrawn', '', '', '');

-- name: EraseConsentProof :exec
update consent_records set wording = '', ip = '', user_agent = ''
where customer_id in (select c.id from customers c where c.id = @id or c.merged_into = @id) and (wording, ip, user_agent) is distinct from ('', '', '');

-- name: EraseWishes :exec
delete from wishes where customer_id = @id;

-- name: EraseEvents :execrows
update events set properties = '{}' where customer_id = @id and properties <> '{}';

-- name: EraseOrders :execrows
update orders set first_item = '', coupon = '' where customer_id = @id and (first_item, coupon) is distinct from ('', '');

-- name: EraseOutbox :execrows
delete from event_outbox where customer_id = @id;

-- name: EraseProviderDetails :execrows
update provider_events p set detail = '' from touches t
where t.customer_id = @id and p.touch_id = t.id and p.detail <> '';

-- name: EraseRuns :execrows
-- A run that has not ended by now ends here; its workflow sees it when it looks.
update journey_runs set entry = '{}',
    due_at = case when status <> 'ended' then null else due_at end,
    end_reason = case when status <> 'ended' then 'exit: customer erased' else end_reason end,
    ended_at = case when status <> 'ended' then @at::timestamptz else ended_at end,
    held = held and status = 'ended',
    status = 'ended'
where customer_id = @id and (status <> 'ended' or entry <> '{}');

-- name: CloseOpenTouches :exec
with standing as (
    select t.id from touches t
    where t.customer_id = @id and t.state in ('planned', 'in_review', 'deferred')
    order by t.id for update of t
), closed as (
    update touches t set state = 'skipped', reason = @reason::text, reserved_at = null, settled_at = @at::timestamptz
    from standing s where t.id = s.id returning t.id
)
insert into touch_history (touch_id, at, state, reason)
select c.id, @at::timestamptz, 'skipped', @reason::text from closed c;

-- name: AcceptErasure :one
-- From here on nothing is sent: who is erased enters nothing, and every touch is
-- judged and reserved against it. An erasure that was accepted before stays.
update customers set erased_at = coalesce(erased_at, @at::timestamptz) where id = @id returning id, email, phone, erased_at;

-- name: SuppressErased :exec
-- The addresses, as hashes, for every channel: they outlive the customer's data.
insert into suppressions (channel, address_hash, reason, source, at)
select h.channel, address_hash(address_of(h.channel, c.email, c.phone, c.id)), 'erased', 'erasure', @at::timestamptz
from customers c cross join (select unnest(array['email', 'sms', 'whatsapp', 'push', 'web']) as channel) h
where c.id = @id and address_of(h.channel, c.email, c.phone, c.id) is not null
on conflict (channel, address_hash) do update set reason = excluded.reason, source = excluded.source
where suppressions.reason <> 'erased';

-- name: CountRunning :one
select count(*)::int from journey_runs where customer_id = @id and status = 'running';
