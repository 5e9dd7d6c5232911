-- The embedded engine's schema. Ids are 16-byte blobs, times are microseconds since 1970, enums are the codes of
-- `domain` (job states: waiting 0, queued 1, running 2, succeeded 3, dead 4, cancelled 5, expired 6).

-- "FLOT": tells Flotilla's files from other programs' databases.
pragma application_id = 1179406164;

create table tenant (
    name       text not null primary key,
    created_at integer not null
) strict, without rowid;

create table api_key (
    id         blob not null primary key check (length(id) = 16),
    tenant     text not null,
    name       text not null,
    scopes     integer not null check (scopes between 0 and 15),
    hash       blob not null check (length(hash) = 32),
    created_at integer not null,
    revoked_at integer
) strict, without rowid;

create index api_key_by_tenant on api_key (tenant, id);

create table endpoint (
    tenant          text not null,
    name            text not null,
    url             text,
    sealed_secret   blob not null,
    created_at      integer not null,
    disabled_at     integer,
    disabled_reason text,
    primary key (tenant, name),
    constraint reason_only_when_disabled check (disabled_reason is null or disabled_at is not null)
) strict, without rowid;

create table queue (
    name text not null primary key
) strict, without rowid;

create table kind (
    name         text not null primary key,
    queue        text not null,
    schema       text not null,
    max_attempts integer not null check (max_attempts > 0),
    timeout_ms   integer not null check (timeout_ms >= 0),
    retry        text not null,
    effects      text not null
) strict, without rowid;

-- state: live 0, retired 1, dead 2. session: which opening of the file it registered in; older sessions are dead.
create table worker (
    id            blob not null primary key check (length(id) = 16),
    name          text not null,
    host          text not null,
    pid           integer not null,
    slots         integer not null,
    version       text not null,
    session       integer not null,
    state         integer not null check (state between 0 and 2),
    drain         integer not null default 0 check (drain in (0, 1)),
    -- On the lease clock of its session, which only roughly is the wall's.
    lease_until   integer not null,
    registered_at integer not null
) strict, without rowid;

create table worker_kind (
    worker_id blob not null,
    kind      text not null,
    primary key (worker_id, kind)
) strict, without rowid;

-- Long columns come last, so that reading the others never walks their overflow pages.
create table job (
    id               blob not null primary key check (length(id) = 16),
    tenant           text not null,
    kind             text not null,
    queue            text not null,
    prio             integer not null check (prio between 0 and 4),
    state            integer not null check (state between 0 and 6),
    waiting_for      integer check (waiting_for between 0 and 10),
    run              integer not null default 0 check (run >= 0),
    -- The run at the latest replay: deferrals that cost nothing are counted from there.
    run_base         integer not null default 0,
    attempt          integer not null default 0,
    max_attempts     integer not null check (max_attempts > 0),
    crashes          integer not null default 0 check (crashes >= 0),
    cancel_requested integer not null default 0 check (cancel_requested in (0, 1)),
    -- Whether a handler may have seen it. Not so: claims that were handed back unseen or that met no handler of its kind.
    ever_started     integer not null default 0 check (ever_started in (0, 1)),
    edits            integer not null default 0 check (edits >= 0),
    timeout_ms       integer not null check (timeout_ms >= 0),
    created_at       integer not null,
    -- When it was first due (again after a replay); policy counts from here.
    due_at           integer not null,
    -- The next or last time it was due.
    run_at           integer not null,
    start_before     integer,
    started_at       integer,
    finished_at      integer,
    worker_id        blob check (length(worker_id) = 16),
    -- The worker and the claim of the latest run, kept when it is over: they recognise repeated settlements.
    run_by           blob check (length(run_by) = 16),
    claim_id         blob check (length(claim_id) = 16),
    unique_key       text,
    group_key        text,
    callback_url     text,
    trace            text not null,
    tags             text not null,
    progress         text,
    error            text,
    payload          text not null,
    result           text,
    constraint worker_iff_running check ((state = 2) = (worker_id is not null)),
    constraint finished_iff_terminal check ((state >= 3) = (finished_at is not null)),
    constraint reason_iff_waiting check ((state = 0) = (waiting_for is not null)),
    constraint attempts_within_runs check (attempt between 0 and run),
    constraint replays_within_runs check (run_base between 0 and run),
    constraint result_only_of_success check (result is null or state = 3),
    constraint running_has_run check (state <> 2 or (run > 0 and run_by = worker_id and claim_id is not null and started_at is not null))
) strict;

create index job_queued on job (queue, prio, id) where state = 1;
create index job_running on job (worker_id) where state = 2;
create index job_ended on job (state, finished_at) where state >= 3;
create index job_by_tenant on job (tenant, id);

-- what: due 0, expire 1.
create table timer (
    run_at integer not null,
    job_id blob not null,
    what   integer not null check (what in (0, 1)),
    primary key (run_at, job_id, what)
) strict, without rowid;

-- What waits for a key to be freed instead of for a time. Released in this order: most important first.
create table parked (
    reason integer not null check (reason between 0 and 10),
    key    text not null,
    prio   integer not null check (prio between 0 and 4),
    job_id blob not null,
    tenant text not null,
    queue  text not null,
    kind   text not null,
    primary key (reason, key, prio desc, job_id)
) strict, without rowid;

create unique index parked_by_job on parked (job_id);
create index parked_by_kind on parked (reason, kind, prio desc, job_id);

-- state: intent 0, confirmed 1, failed 2, unknown 3.
create table effect (
    job_id blob not null,
    name   text not null,
    key    text not null,
    state  integer not null check (state between 0 and 3),
    run    integer not null,
    handle text,
    at     integer not null,
    primary key (job_id, name),
    constraint handle_iff_confirmed check ((state = 1) = (handle is not null))
) strict, without rowid;

-- space: idempotency 0, unique 1. No expiry: the window closes when the job ends.
create table job_dedup (
    tenant       text not null,
    space        integer not null check (space in (0, 1)),
    key          text not null,
    job_id       blob not null,
    request_hash blob check (length(request_hash) = 32),
    expires_at   integer,
    primary key (tenant, space, key),
    constraint hash_iff_idempotency check ((space = 0) = (request_hash is not null)),
    constraint idempotency_expires check (space = 1 or expires_at is not null)
) strict, without rowid;

create index job_dedup_by_expiry on job_dedup (expires_at) where expires_at is not null;
create index job_dedup_by_job on job_dedup (job_id);

-- Every transition but the happy ones (submission, claim, success), which the job's own row shows. An end of a run
-- carries when and by whom that run was started.
create table job_event (
    id          integer not null primary key,
    job_id      blob not null,
    at          integer not null,
    run         integer not null,
    from_state  integer not null check (from_state between 0 and 6),
    to_state    integer not null check (to_state between 0 and 6),
    waiting_for integer check (waiting_for between 0 and 10),
    actor       text not null,
    data        text,
    started_at  integer,
    run_by      blob
) strict;

create index job_event_by_job on job_event (job_id);

create table job_log (
    job_id blob not null,
    run    integer not null,
    lines  text not null,
    output text,
    primary key (job_id, run)
) strict;

create table dead_letter (
    job_id      blob not null primary key,
    tenant      text not null,
    queue       text not null,
    kind        text not null,
    fingerprint text not null,
    reason      text not null,
    at          integer not null
) strict, without rowid;

create index dead_letter_by_queue on dead_letter (queue, at);
create index dead_letter_by_fingerprint on dead_letter (fingerprint, at);

create table audit (
    id         integer not null primary key,
    at         integer not null,
    tenant     text not null,
    actor      text not null,
    request_id text not null,
    action     text not null,
    target     text not null,
    data       text
) strict;

create index audit_by_tenant on audit (tenant, id);
