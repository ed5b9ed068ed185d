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
update consents set state = 'withdrawn', at = greatest(at, @at::timestamptz), source = 'erasure', wording = '', ip = ''
where customer_id = @id;

-- name: EraseEvents :exec
update events set properties = '{}' where customer_id = @id;

-- name: EraseOrders :exec
update orders set first_item = '', coupon = '' where customer_id = @id;

-- name: EraseOutbox :exec
delete from event_outbox where customer_id = @id;

-- name: EraseProviderDetails :exec
update provider_events p set detail = '' from touches t
where t.customer_id = @id and p.touch_id = t.id;

-- name: EraseRuns :exec
-- Running ones end when their workflow sees the erasure.
update journey_runs set entry = '{}',
    due_at = case when status = 'pending' then null else due_at end,
    end_reason = case when status = 'pending' then 'erased' else end_reason end,
    ended_at = case when status = 'pending' then @at::timestamptz else ended_at end,
    status = case when status = 'pending' then 'ended' else status end
where customer_id = @id;

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
