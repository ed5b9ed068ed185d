-- Fewer rows and less work per touch.

create function rfc3339(at timestamptz) returns text language sql stable parallel safe as $$
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
$$;

-- A touch takes its place in the ledger and is marked as being sent by one
-- statement: its history says 'sending' and no longer 'reserved' before it.
create or replace function touch_may_move(was text, becomes text) returns boolean language sql immutable parallel safe as $$
    select case
        when was = becomes then false
        when was = 'sending' and becomes = 'deferred' then true
        when touch_rank(was) is not null then coalesce(touch_rank(becomes) > touch_rank(was), false)
        when was = 'reserved' then becomes in ('sending', 'planned', 'in_review', 'deferred', 'blocked', 'skipped')
        when was in ('planned', 'in_review', 'deferred') then touch_rank(becomes) is null or becomes = 'sending'
        else false end
$$;

-- Appends entries to the chain, one per element of the arrays; an empty id is
-- none. Each hash is SHA-256 over the previous hash and the entry's payload.
-- Payloads are made before the head of the chain is taken, but for their first
-- member, the sequence number. Call it last in a transaction: it holds the head
-- of the chain until commit.
create or replace function append_decisions(ats timestamptz[], kinds text[], actors text[], customers text[], runs text[],
    touches text[], subjects text[], bodies text[]) returns bigint language plpgsql as $$
declare
    head     decision_head;
    first    bigint;
    payloads text[];
    payload  text;
    hashes   bytea[] := '{}';
begin
    select array_agg(substr(decision_payload(0, e.at, e.kind, e.actor, nullif(e.customer, '')::uuid, nullif(e.run, '')::uuid,
        nullif(e.touch, '')::uuid, e.subject, e.body), 3) order by e.place)
    into payloads
    from unnest(ats, kinds, actors, customers, runs, touches, subjects, bodies) with ordinality
        as e (at, kind, actor, customer, run, touch, subject, body, place);
    select * into head from decision_head for update;
    first := head.seq;
    hashes := hashes || head.hash;
    foreach payload in array coalesce(payloads, '{}') loop
        head.seq := head.seq + 1;
        head.hash := sha256(head.hash || convert_to('[' || head.seq || payload, 'UTF8'));
        hashes := hashes || head.hash;
    end loop;
    insert into decision_log (seq, at, kind, actor, customer_id, run_id, touch_id, subject, body, prev_hash, hash)
    select first + e.place, e.at, e.kind, e.actor, nullif(e.customer, '')::uuid, nullif(e.run, '')::uuid,
        nullif(e.touch, '')::uuid, e.subject, e.body, hashes[e.place], hashes[e.place + 1]
    from unnest(ats, kinds, actors, customers, runs, touches, subjects, bodies) with ordinality
        as e (at, kind, actor, customer, run, touch, subject, body, place)
    order by e.place;
    update decision_head set seq = head.seq, hash = head.hash;
    return head.seq;
end $$;
