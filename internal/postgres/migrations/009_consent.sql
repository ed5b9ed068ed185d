-- Consent with its history and proof, what customers wish besides, and requests
-- to export or erase what is held about them. Proof (wording, IP, user agent) is
-- personal and is emptied when the customer is erased.

------------------------------------------------------------------ consents

-- A consent that waits for the customer's confirmation (double opt-in) is pending:
-- it is no yes and no withdrawal.
alter table consents drop constraint consents_state_check;
alter table consents add constraint consents_state_check check (state in ('granted', 'withdrawn', 'pending'));
alter table consents
    add column basis text not null default 'express' check (basis in ('express', 'written', 'purchase', 'inquiry')),
    add column form text not null default '',       -- version of the form or policy that showed the wording
    add column user_agent text not null default '',
    add column confirmed_at timestamptz;            -- of a double opt-in

-- Everything a customer ever said about a channel, a topic or the frequency.
create table consent_records (
    id           bigint generated always as identity primary key,
    customer_id  uuid not null references customers on delete cascade,
    subject      text not null, -- a channel, topic/<id> or frequency
    state        text not null,
    basis        text not null default '',
    at           timestamptz not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    source       text not null default '',
    wording      text not null default '',
    form         text not null default '',
    ip           text not null default '',
    user_agent   text not null default '',
    confirmed_at timestamptz,
    unique (customer_id, subject, at, state, source)
);

-- Whoever changes a consent, and by whatever statement, leaves a record.
create function consents_keep_records() returns trigger language plpgsql as $$
begin
    insert into consent_records (customer_id, subject, state, basis, at, source, wording, form, ip, user_agent, confirmed_at)
    select c.customer_id, c.channel, c.state, c.basis, c.at, c.source, c.wording, c.form, c.ip, c.user_agent, c.confirmed_at
    from changed c order by c.customer_id, c.channel
    on conflict do nothing;
    return null;
end $$;
create trigger consents_keep_records_of_new after insert on consents
    referencing new table as changed for each statement execute function consents_keep_records();
create trigger consents_keep_records_of_changed after update on consents
    referencing new table as changed for each statement execute function consents_keep_records();

-- The history is append-only: an update may do no more than empty proof.
create function consent_records_are_append_only() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.wording in ('', old.wording) and new.ip in ('', old.ip) and new.user_agent in ('', old.user_agent)
        and (new.id, new.customer_id, new.subject, new.state, new.basis, new.at, new.recorded_at, new.source, new.form, new.confirmed_at)
        is not distinct from
        (old.id, old.customer_id, old.subject, old.state, old.basis, old.at, old.recorded_at, old.source, old.form, old.confirmed_at)
    then
        return new;
    end if;
    raise exception 'the consent history is append-only';
end $$;
create trigger consent_records_are_append_only before update or delete on consent_records
    for each row execute function consent_records_are_append_only();
create trigger consent_records_are_not_truncated before truncate on consent_records
    for each statement execute function consent_records_are_append_only();

insert into consent_records (customer_id, subject, state, basis, at, source, wording, ip)
select customer_id, channel, state, basis, at, source, wording, ip from consents order by customer_id, channel;

-- What a customer asked for besides consents. Who asked for nothing has no row.
create table wishes (
    customer_id uuid primary key references customers on delete cascade,
    left_topics text[] not null default '{}',
    frequency   text not null default '' check (frequency in ('', 'weekly', 'monthly')),
    at          timestamptz not null
);

------------------------------------------------------------------- privacy

-- Requests to export or erase, each with its receipt. reason is what the person
-- who entered the request wrote; it stays, so it should not say who asked.
create table privacy_requests (
    id           uuid primary key,
    kind         text not null check (kind in ('export', 'erase')),
    customer_id  uuid not null,
    reason       text not null default '',
    by           text not null,
    requested_at timestamptz not null,
    recorded_at  timestamptz not null default clock_timestamp(),
    done_at      timestamptz,
    receipt      jsonb not null default '{}'
);
create unique index privacy_requests_erasure on privacy_requests (customer_id) where kind = 'erase';
create index privacy_requests_recent on privacy_requests (recorded_at, id);
create index privacy_requests_open on privacy_requests (recorded_at) where kind = 'erase' and done_at is null;

-- Empties a table of things that belong to a customer, if the table exists.
create function forget_in(tables text[], customer uuid) returns bigint language plpgsql as $$
declare
    one   text;
    n     bigint;
    total bigint := 0;
begin
    foreach one in array tables loop
        if to_regclass(one) is not null then
            execute format('delete from %s where customer_id = $1', to_regclass(one)) using customer;
            get diagnostics n = row_count;
            total := total + n;
        end if;
    end loop;
    return total;
end $$;
