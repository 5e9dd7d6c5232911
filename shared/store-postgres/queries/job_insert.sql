-- Records new jobs with their timers and their ledger rows; a job that is there already stays as it is (a ledger row that lists nothing new is found to be noise later): $1 ids, $2 to $19 the other columns, $20 now, $21 to $23 timers, $24 to $28 emissions (id, queue, prio, first and last of their jobs in $29). Answers with the ids of the new ones only when some were not new.
with new as (
    insert into job (
        id, tenant, kind, queue, prio, state, waiting_for, max_attempts, timeout_ms, created_at, due_at, run_at, start_before,
        unique_key, group_key, callback_url, trace, tags, payload, emission_id
    )
    select
        j.id, j.tenant, j.kind, j.queue, j.prio, j.state, j.waiting_for, j.max_attempts, j.timeout_ms, $20, j.due_at, j.run_at,
        j.start_before, j.unique_key, j.group_key, j.callback_url, j.trace, j.tags, j.payload, j.emission_id
    from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::smallint[], $7::smallint[], $8::smallint[], $9::bigint[],
        $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
        $19::uuid[]
    ) as j (
        id, tenant, kind, queue, prio, state, waiting_for, max_attempts, timeout_ms, due_at, run_at, start_before, unique_key, group_key,
        callback_url, trace, tags, payload, emission_id
    )
    on conflict (id) do nothing
    returning id
),
timers as (
    insert into timer (run_at, job_id, what)
    select t.run_at, t.job_id, t.what
    from unnest($21::bigint[], $22::uuid[], $23::smallint[]) as t (run_at, job_id, what)
    where t.job_id in (select id from new)
    on conflict do nothing
),
ledger as (
    insert into emission (id, queue, prio, retry_at, job_ids)
    select e.id, e.queue, e.prio, $20 + 5000000, ($29::uuid[])[e.first:e.last]
    from unnest($24::uuid[], $25::text[], $26::smallint[], $27::int[], $28::int[]) as e (id, queue, prio, first, last)
)
select case when count(*) < cardinality($1::uuid[]) then array_agg(id) end, count(*) from new;
