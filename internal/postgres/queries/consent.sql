-- name: ConfirmConsent :one
-- A pending consent becomes a yes, if the address is still the one that was asked.
update consents k set state = 'granted', at = greatest(k.at, @at::timestamptz), source = @source, ip = @ip, user_agent = @user_agent, confirmed_at = @at::timestamptz
from customers c
where k.customer_id = @customer_id and k.channel = @channel and k.state = 'pending' and c.id = k.customer_id and c.erased_at is null
    and left(encode(address_hash(address_of(k.channel, c.email, c.phone, c.id)), 'hex'), length(@address::text)) = @address::text
returning k.channel;

-- name: LockCustomer :one
select c.* from customers c
where c.id = coalesce((select m.merged_into from customers m where m.id = @id), @id) for update;

-- name: ConsentsNow :many
select * from consents where customer_id = @customer_id order by channel;

-- name: WishesOf :one
select * from wishes where customer_id = @customer_id;

-- name: SaveWishes :exec
insert into wishes (customer_id, left_topics, frequency, at) values (@customer_id, @left_topics, @frequency, @at)
on conflict (customer_id) do update set left_topics = excluded.left_topics, frequency = excluded.frequency, at = excluded.at;

-- name: AddConsentRecord :exec
insert into consent_records (customer_id, subject, state, basis, at, source, wording, form, ip, user_agent, confirmed_at)
values (@customer_id, @subject, @state, @basis, @at, @source, @wording, @form, @ip, @user_agent, @confirmed_at)
on conflict do nothing;

-- name: LiftUnsubscribe :execrows
-- A new yes lifts what an unsubscribe suppressed, and an erasure before it. A bounce
-- or complaint about messages to this customer stays, whatever came first.
delete from suppressions p
where p.channel = @channel::text
    and p.address_hash = (select address_hash(address_of(@channel::text, c.email, c.phone, c.id)) from customers c where c.id = @customer_id::uuid)
    and p.reason in ('unsubscribed', 'erased') and p.at <= @at::timestamptz
    and not exists (select from touches t join provider_events e on e.touch_id = t.id
        where t.customer_id = @customer_id::uuid and t.channel = @channel::text and e.suppress and e.kind <> 'unsubscribed');
