-- Expand: operations on many jobs, figures by the minute, and indexes for dead letters by tenant. Nothing that was there changes its meaning.

-- An act on many jobs. act and target are JSON as `domain` writes them. state: running 0, canary 1, succeeded 2, halted 3.
create table operation (
    id           blob not null primary key check (length(id) = 16),
    tenant       text not null,
    act          text not null,
    target       text not null,
    reason       text not null,
    actor        text not null,
    request_id   text not null,
    state        integer not null default 0 check (state between 0 and 3),
    canary       integer check (canary > 0),
    looked_at    integer not null default 0 check (looked_at >= 0),
    done         integer not null default 0 check (done >= 0),
    skipped      integer not null default 0 check (skipped >= 0),
    error        text,
    created_at   integer not null,
    updated_at   integer not null,
    finished_at  integer,
    -- The jobs that went ahead, in hexadecimal; and since when the rest waits for them, which stays when it waits no longer.
    canaries     text not null default '[]',
    canary_since integer,
    -- Only jobs with a lower id are still to be looked at.
    before       blob check (length(before) = 16),
    -- When its next step is due; whoever has waited longest is next.
    turn_at      integer not null,
    constraint finished_iff_over check ((state >= 2) = (finished_at is not null)),
    constraint error_iff_halted check ((state = 3) = (error is not null)),
    constraint looked_at_is_done_or_skipped check (looked_at = done + skipped),
    constraint since_only_with_canary check (canary_since is null or canary is not null),
    constraint canary_waits_since check (state <> 1 or canary_since is not null)
) strict, without rowid;

create index operation_open on operation (turn_at, id) where state < 2;
create index operation_ended on operation (finished_at) where finished_at is not null;
create index operation_by_tenant on operation (tenant, created_at, id);

-- Attempts that ended, by the minute. Sums of times, in microseconds, are over those that succeeded.
create table job_rate (
    bucket    integer not null,
    queue     text not null,
    prio      integer not null check (prio between 0 and 4),
    kind      text not null,
    succeeded integer not null default 0,
    retried   integer not null default 0,
    dead      integer not null default 0,
    run_us    integer not null default 0,
    wait_us   integer not null default 0,
    primary key (bucket, queue, prio, kind)
) strict, without rowid;

-- Dead letters are read by their tenant, newest id first, and by what looks alike. The indexes of before led to neither.
drop index dead_letter_by_queue;
drop index dead_letter_by_fingerprint;
create index dead_letter_by_tenant on dead_letter (tenant, job_id);
create index dead_letter_by_group on dead_letter (tenant, queue, fingerprint, at, job_id);
