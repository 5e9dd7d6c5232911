-- Acts over many jobs, dead letters by tenant, and figures by class. Expand: new tables, and an index in place of two that no version
-- reads by. What wrote `job_stat` before goes on writing it, and a later number drops it.
set local lock_timeout = '2s';

-- An act over many jobs, done in steps. state: running 0, canary 1, succeeded 2, halted 3. `act` and `target` are JSON of `domain`.
create table operation (
    id          uuid     not null primary key,
    tenant      text     not null,
    act         text     not null,
    target      text     not null,
    reason      text     not null,
    actor       text     not null,
    request_id  text     not null,
    state       smallint not null check (state between 0 and 3),
    canary      bigint   check (canary > 0),
    looked_at   bigint   not null default 0 check (looked_at >= 0),
    done        bigint   not null default 0 check (done >= 0),
    skipped     bigint   not null default 0 check (skipped >= 0),
    error       text,
    created_at  bigint   not null,
    updated_at  bigint   not null,
    finished_at bigint,
    -- When it may have its next turn: who has waited longest comes first.
    turn_at     bigint   not null,
    -- The last job that was looked at.
    place       uuid,
    -- The jobs whose ends the others wait for, and since when they do.
    canaries    uuid[]   not null default '{}',
    canaries_at bigint,
    constraint finished_iff_over check ((state >= 2) = (finished_at is not null)),
    constraint error_iff_halted check ((state = 3) = (error is not null)),
    constraint canary_of_some check (state <> 1 or canary is not null),
    constraint counts_add_up check (looked_at = done + skipped)
) with (fillfactor = 50);

create index operation_open on operation (turn_at, id) where state < 2;
create index operation_over on operation (finished_at) where state >= 2;
create index operation_by_tenant on operation (tenant, id);

-- Ended attempts, by the minute and the class: written in the transaction that settles them, in place of `job_stat`. Each writer (a
-- worker) has rows of its own, so that no two wait for each other.
create table job_rate (
    bucket    bigint   not null,
    queue     text     not null,
    prio      smallint not null check (prio between 0 and 4),
    kind      text     not null,
    writer    uuid     not null,
    succeeded bigint   not null default 0,
    retried   bigint   not null default 0,
    dead      bigint   not null default 0,
    -- Sums over those that succeeded.
    run_us    bigint   not null default 0,
    wait_us   bigint   not null default 0,
    primary key (bucket, queue, prio, kind, writer)
) with (fillfactor = 50);

-- Not concurrently: dead letters are few beside jobs, and only ends of jobs that died wait for it. Nobody ever looked by the other two.
create index dead_letter_by_tenant on dead_letter (tenant, job_id);
drop index dead_letter_by_queue;
drop index dead_letter_by_fingerprint;
