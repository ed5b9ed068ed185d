-- Every index costs a write per touch and state. A customer's touches are few: a
-- run's are found among them.
drop index touches_run;
drop index touches_customer;
create index touches_customer on touches (customer_id, reserved_at);
-- Rows come roughly by time of planning, and reports read long periods.
drop index touches_planned;
create index touches_planned on touches using brin (planned_at) with (autosummarize = on);
-- A customer's runs are found by the uniqueness of the entry.
alter table journey_runs drop constraint journey_runs_journey_customer_id_entry_key_key;
alter table journey_runs add unique (customer_id, journey, entry_key);
drop index journey_runs_customer;

-- The decision log takes its entries as arrays: bodies are JSON, and JSON within
-- JSON cost more than the chain.
drop function append_decisions(jsonb);

-- Appends entries to the chain, one per element of the arrays; an empty id is
-- none. Each hash is SHA-256 over the previous hash and the entry's payload.
-- Call it last in a transaction: it holds the head of the chain until commit.
create function append_decisions(ats timestamptz[], kinds text[], actors text[], customers text[], runs text[],
    touches text[], subjects text[], bodies text[]) returns bigint language plpgsql as $$
declare
    head   decision_head;
    first  bigint;
    entry  record;
    hashes bytea[] := '{}';
begin
    select * into head from decision_head for update;
    first := head.seq;
    for entry in select * from unnest(ats, kinds, actors, customers, runs, touches, subjects, bodies)
        as e (at, kind, actor, customer, run, touch, subject, body) loop
        head.seq := head.seq + 1;
        head.hash := sha256(head.hash || convert_to(decision_payload(head.seq, entry.at, entry.kind, entry.actor,
            nullif(entry.customer, '')::uuid, nullif(entry.run, '')::uuid, nullif(entry.touch, '')::uuid,
            entry.subject, entry.body), 'UTF8'));
        hashes := hashes || head.hash;
    end loop;
    insert into decision_log (seq, at, kind, actor, customer_id, run_id, touch_id, subject, body, prev_hash, hash)
    select first + e.place, e.at, e.kind, e.actor, nullif(e.customer, '')::uuid, nullif(e.run, '')::uuid,
        nullif(e.touch, '')::uuid, e.subject, e.body,
        coalesce(lag(e.hash) over (order by e.place), (select h.hash from decision_head h)), e.hash
    from unnest(ats, kinds, actors, customers, runs, touches, subjects, bodies, hashes) with ordinality
        as e (at, kind, actor, customer, run, touch, subject, body, hash, place)
    order by e.place;
    update decision_head set seq = head.seq, hash = head.hash;
    return head.seq;
end $$;
