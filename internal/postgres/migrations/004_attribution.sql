-- Agents on and off by chance, so that what each of them adds can be measured.

-- One test at a time. Agents and share never change under a name: customers
-- would move between cells and the cells would compare nothing.
create table agent_tests (
    name       text primary key,
    agents     text[] not null check (cardinality(agents) between 1 and 6),
    share      double precision not null check (share > 0 and share <= 1),
    started_at timestamptz not null,
    ended_at   timestamptz
);
create unique index agent_tests_running on agent_tests ((true)) where ended_at is null;

-- The cell of every customer who entered a journey during a test: bit i says
-- whether agent i+1 of the test decides for this customer.
create table agent_cells (
    test        text not null references agent_tests,
    customer_id uuid not null,
    cell        int not null,
    at          timestamptz not null,
    primary key (test, customer_id)
);

-- Same draw as experiment.AgentTest.Cell: outside the share all agents are on;
-- within it every other cell is equally likely.
create function agent_cell(test text, share double precision, agents int, customer uuid) returns int language sql stable parallel safe as $$
    select case when bucket('agents/' || test, customer) < share
        then floor(bucket('agents/' || test || '/cell', customer) * ((1 << agents) - 1))::int
        else (1 << agents) - 1 end
$$;

-- Whoever enters a journey while a test runs gets a cell, from the same
-- statement that draws the arm. The held-out get none: no agent decides for them.
create function runs_draw_agent_cells() returns trigger language plpgsql as $$
begin
    insert into agent_cells (test, customer_id, cell, at)
    select distinct on (a.customer_id) t.name, a.customer_id, agent_cell(t.name, t.share, cardinality(t.agents), a.customer_id), a.entered_at
    from agent_tests t cross join added a
    where t.ended_at is null and a.arm = 'treated' and a.entered_at >= t.started_at
    order by a.customer_id, a.entered_at
    on conflict do nothing;
    return null;
end $$;
create trigger runs_draw_agent_cells after insert on journey_runs
    referencing new table as added for each statement execute function runs_draw_agent_cells();
