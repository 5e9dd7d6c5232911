-- The distributed engine's schema. Times are microseconds since 1970 (UTC; `flotilla_time(x)` shows one), enums are the codes of
-- `domain` (job states: waiting 0, queued 1, running 2, succeeded 3, dead 4, cancelled 5, expired 6).

-- The database's own clock, which leases, timers and expiry follow.
create function flotilla_now() returns bigint language sql stable parallel safe
as $$ select (extract(epoch from statement_timestamp()) * 1000000)::bigint $$;

-- For people.
create function flotilla_time(micros bigint) returns timestamptz language sql immutable strict parallel safe
as $$ select timestamptz 'epoch' + micros * interval '1 microsecond' $$;

create table tenant (
    name       text   not null primary key,
    created_at bigint not null
);

create table api_key (
    id         uuid   not null primary key,
    tenant     text   not null,
    name       text   not null,
    scopes     smallint not null check (scopes between 0 and 15),
    hash       bytea  not null check (length(hash) = 32),
    created_at bigint not null,
    revoked_at bigint
);

create index api_key_by_tenant on api_key (tenant, id);

create table endpoint (
    tenant          text   not null,
    name            text   not null,
    url             text,
    sealed_secret   bytea  not null,
    created_at      bigint not null,
    disabled_at     bigint,
    disabled_reason text,
    primary key (tenant, name),
    constraint reason_only_when_disabled check (disabled_reason is null or disabled_at is not null)
);

create table queue (
    name text not null primary key
);

create table kind (
    name         text    not null primary key,
    queue        text    not null,
    schema       text    not null,
    max_attempts integer not null check (max_attempts > 0),
    timeout_ms   bigint  not null check (timeout_ms >= 0),
    retry        text    not null,
    effects      text    not null
);

-- state: live 0, retired 1, dead 2. Renewed every few seconds: room for updates in place.
create table worker (
    id            uuid     not null primary key,
    name          text     not null,
    host          text     not null,
    pid           bigint   not null,
    slots         integer  not null,
    version       text     not null,
    state         smallint not null check (state between 0 and 2),
    drain         boolean  not null default false,
    lease_until   bigint   not null,
    registered_at bigint   not null
) with (fillfactor = 50);

create table worker_kind (
    worker_id uuid not null,
    kind      text not null,
    primary key (worker_id, kind)
);

-- How far each worker has come with the broker's hints, by publish time; written at each lease renewal. What it has claimed counts
-- from its next renewal on: by then every other worker has told what it holds of that time.
create table worker_mark (
    worker_id     uuid     not null,
    queue         text     not null,
    prio          smallint not null,
    claimed_until bigint,
    next_until    bigint,
    held_since    bigint,
    primary key (worker_id, queue, prio)
) with (fillfactor = 50);

-- No index on a column that changes, and room in every page: all changes of state stay in place (HOT). Ids are version 7
-- UUIDs, so a range of ids is a span of time. Partitions are made ahead by the scheduler; there is no default one.
create table job (
    id               uuid     not null primary key,
    created_at       bigint   not null,
    -- When it was first due (again after a replay); policy counts from here.
    due_at           bigint   not null,
    -- The next or last time it was due.
    run_at           bigint   not null,
    start_before     bigint,
    started_at       bigint,
    finished_at      bigint,
    timeout_ms       bigint   not null check (timeout_ms >= 0),
    worker_id        uuid,
    -- The worker and the claim of the latest run, kept when it is over: they recognise repeated settlements.
    run_by           uuid,
    claim_id         uuid,
    -- The ledger row that lists it while it is queued (the latest one otherwise).
    emission_id      uuid,
    run              integer  not null default 0 check (run >= 0),
    -- The run at the latest replay: deferrals that cost nothing are counted from there.
    run_base         integer  not null default 0,
    attempt          smallint not null default 0,
    max_attempts     smallint not null check (max_attempts > 0),
    crashes          smallint not null default 0 check (crashes >= 0),
    edits            smallint not null default 0 check (edits >= 0),
    state            smallint not null check (state between 0 and 6),
    waiting_for      smallint check (waiting_for between 0 and 10),
    prio             smallint not null check (prio between 0 and 4),
    cancel_requested boolean  not null default false,
    -- Whether a handler may have seen it. Not so: claims that were handed back unseen or that met no handler of its kind.
    ever_started     boolean  not null default false,
    tenant           text     not null,
    kind             text     not null,
    queue            text     not null,
    unique_key       text,
    group_key        text,
    callback_url     text,
    trace            text     not null,
    tags             text     not null,
    progress         text,
    error            text,
    payload          text     not null,
    result           text,
    constraint worker_iff_running check ((state = 2) = (worker_id is not null)),
    constraint finished_iff_terminal check ((state >= 3) = (finished_at is not null)),
    constraint reason_iff_waiting check ((state = 0) = (waiting_for is not null)),
    constraint attempts_within_runs check (attempt between 0 and run),
    constraint replays_within_runs check (run_base between 0 and run),
    constraint result_only_of_success check (result is null or state = 3),
    constraint queued_is_listed check (state <> 1 or emission_id is not null),
    constraint running_has_run check (state <> 2 or (run > 0 and run_by = worker_id and claim_id is not null and started_at is not null))
) partition by range (id);

create index job_by_tenant on job (tenant, id);

-- what: due 0, expire 1.
create table timer (
    run_at bigint   not null,
    job_id uuid     not null,
    what   smallint not null check (what in (0, 1)),
    primary key (run_at, job_id, what)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- What waits for a key to be freed instead of for a time. Released most important first.
create table parked (
    job_id uuid     not null primary key,
    reason smallint not null check (reason between 0 and 10),
    key    text     not null,
    prio   smallint not null check (prio between 0 and 4),
    tenant text     not null,
    queue  text     not null,
    kind   text     not null
);

create index parked_by_key on parked (reason, key, prio desc, job_id);
create index parked_by_kind on parked (reason, kind, prio desc, job_id);

-- The ledger: one row per broker message. Without `published_at` it is unconfirmed and due again at `retry_at`; with it, the broker
-- must be holding it. Written with the jobs that it makes queued, deleted by the claim that takes them.
create table emission (
    id           uuid     not null primary key,
    queue        text     not null,
    prio         smallint not null check (prio between 0 and 4),
    tries        smallint not null default 0,
    retry_at     bigint   not null,
    published_at bigint,
    job_ids      uuid[]   not null check (cardinality(job_ids) between 1 and 32)
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

create index emission_unconfirmed on emission (retry_at) where published_at is null;
create index emission_confirmed on emission (queue, prio, published_at) where published_at is not null;

-- What workers hold. Deleted by the renewal of a worker that does not name it any more.
create table claim (
    id        uuid   not null primary key,
    worker_id uuid   not null,
    at        bigint not null,
    job_ids   uuid[] not null
) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

create index claim_by_worker on claim (worker_id);

-- Running jobs that somebody asked to cancel: how their worker finds them without looking at all it runs.
create table cancel_asked (
    worker_id uuid    not null,
    job_id    uuid    not null,
    run       integer not null,
    primary key (worker_id, job_id)
);

-- state: intent 0, confirmed 1, failed 2, unknown 3. Partitioned like `job`, with which it goes.
create table effect (
    job_id uuid     not null,
    name   text     not null,
    key    text     not null,
    state  smallint not null check (state between 0 and 3),
    run    integer  not null,
    handle text,
    at     bigint   not null,
    primary key (job_id, name),
    constraint handle_iff_confirmed check ((state = 1) = (handle is not null))
) partition by range (job_id);

-- space: idempotency 0, unique 1. No expiry: the window closes when the job ends.
create table job_dedup (
    tenant       text     not null,
    space        smallint not null check (space in (0, 1)),
    key          text     not null,
    job_id       uuid     not null,
    request_hash bytea check (length(request_hash) = 32),
    expires_at   bigint,
    primary key (tenant, space, key),
    constraint hash_iff_idempotency check ((space = 0) = (request_hash is not null)),
    constraint idempotency_expires check (space = 1 or expires_at is not null)
);

create index job_dedup_by_expiry on job_dedup (expires_at) where expires_at is not null;
create index job_dedup_by_job on job_dedup (job_id);

-- Every transition but the happy ones (submission, claim, success), which the job's own row shows. An end of a run
-- carries when and by whom that run was started. Partitioned like `job`, with which it goes.
create table job_event (
    job_id      uuid     not null,
    id          bigint   generated always as identity,
    at          bigint   not null,
    run         integer  not null,
    from_state  smallint not null check (from_state between 0 and 6),
    to_state    smallint not null check (to_state between 0 and 6),
    waiting_for smallint check (waiting_for between 0 and 10),
    actor       text     not null,
    data        text,
    started_at  bigint,
    run_by      uuid,
    primary key (job_id, id)
) partition by range (job_id);

-- What attempts wrote. Partitioned like `job`, with which it goes.
create table job_log (
    job_id uuid    not null,
    run    integer not null,
    lines  text    not null,
    output text,
    primary key (job_id, run)
) partition by range (job_id);

-- Ended attempts, by the minute: written in the transaction that settles them. Each worker has rows of its own, so that no two
-- wait for each other.
create table job_stat (
    bucket    bigint not null,
    queue     text   not null,
    kind      text   not null,
    worker_id uuid   not null,
    succeeded bigint not null default 0,
    retried   bigint not null default 0,
    dead      bigint not null default 0,
    -- Sums over those that succeeded.
    run_us    bigint not null default 0,
    wait_us   bigint not null default 0,
    primary key (bucket, queue, kind, worker_id)
) with (fillfactor = 50);

create table dead_letter (
    job_id      uuid     not null primary key,
    tenant      text     not null,
    queue       text     not null,
    kind        text     not null,
    fingerprint text     not null,
    reason      text     not null,
    run         integer  not null,
    attempts    smallint not null,
    at          bigint   not null,
    announced   boolean  not null default false
);

create index dead_letter_by_queue on dead_letter (queue, at);
create index dead_letter_by_fingerprint on dead_letter (fingerprint, at);
create index dead_letter_unannounced on dead_letter (at) where not announced;

-- Broker messages that were no hints.
create table poison (
    id         bigint   generated always as identity primary key,
    at         bigint   not null,
    queue      text     not null,
    reason     text     not null,
    message_id text,
    bytes      bigint   not null,
    sample     bytea    not null
);

create table audit (
    id         bigint generated always as identity primary key,
    at         bigint not null,
    tenant     text   not null,
    actor      text   not null,
    request_id text   not null,
    action     text   not null,
    target     text   not null,
    data       text
);

create index audit_by_tenant on audit (tenant, id);
