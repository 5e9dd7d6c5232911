-- What a fleet on migration 0002 may have left behind: one job in each kind of place, figures of this version and the one before, and
-- an operation that is over and one that is not.
insert into tenant (name, created_at) values ('default', $now);
insert into queue (name) values ('mail');
insert into worker (id, name, host, pid, slots, version, state, lease_until, registered_at)
values ('00000000-0000-7000-8000-0000000000ff', 'w', 'h', 1, 10, '0.1.0', 0, $now, $now);
insert into claim (id, worker_id, at, job_ids)
values ('00000000-0000-7000-8000-0000000000cc', '00000000-0000-7000-8000-0000000000ff', $now, array['$id4'::uuid]);
insert into emission (id, queue, prio, retry_at, published_at, job_ids)
values ('00000000-0000-7000-8000-0000000000ee', 'mail', 2, $now, $now, array['$id2'::uuid]);
insert into job (
    id, created_at, due_at, run_at, started_at, finished_at, timeout_ms, worker_id, run_by, claim_id, emission_id, run, attempt, max_attempts,
    state, waiting_for, prio, ever_started, tenant, kind, queue, trace, tags, error, payload, result
)
select
    id, $now, $now, $now, started_at, finished_at, 60000, worker_id, run_by, claim_id, emission_id, run, run, 3, state, waiting_for, 2, run > 0,
    'default', 'mail.send', 'mail', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '["t"]', error, '{"n":1}', result
from (
    values
        ('$id1'::uuid, null::bigint, null::bigint, null::uuid, null::uuid, null::uuid, null::uuid, 0, 0, 0, null, null),
        ('$id2', null, null, null, null, null, '00000000-0000-7000-8000-0000000000ee', 0, 1, null, null, null),
        ('$id3', $now, $now, null, '00000000-0000-7000-8000-0000000000ff', null, null, 1, 3, null, null, '{"ok":true}'),
        ('$id4', $now, null, '00000000-0000-7000-8000-0000000000ff', '00000000-0000-7000-8000-0000000000ff', '00000000-0000-7000-8000-0000000000cc', null, 1, 2, null, null, null),
        ('$id5', $now, $now, null, '00000000-0000-7000-8000-0000000000ff', null, null, 1, 4, null, '{"class":"permanent","code":"http_404","message":"no such mailbox"}', null)
) as j (id, started_at, finished_at, worker_id, run_by, claim_id, emission_id, run, state, waiting_for, error, result);
insert into timer (run_at, job_id, what) values ($now, '$id1', 0);
insert into dead_letter (job_id, tenant, queue, kind, fingerprint, reason, run, attempts, at)
values ('$id5', 'default', 'mail', 'mail.send', 'mail.send/permanent/http_404', 'http_404', 1, 1, $now);
insert into job_event (job_id, at, run, from_state, to_state, actor) values ('$id5', $now, 1, 2, 4, 'worker:x');
insert into job_log (job_id, run, lines) values ('$id5', 1, '[]');
insert into job_stat (bucket, queue, kind, worker_id, succeeded) values ($now / 60000000 * 60000000, 'mail', 'mail.send', '00000000-0000-7000-8000-0000000000ff', 1);
insert into job_rate (bucket, queue, prio, kind, writer, succeeded, retried, dead, run_us, wait_us)
values ($now / 60000000 * 60000000, 'mail', 2, 'mail.send', '00000000-0000-7000-8000-0000000000ff', 1, 0, 1, 5000000, 1000);
insert into operation (
    id, tenant, act, target, reason, actor, request_id, state, canary, looked_at, done, skipped, created_at, updated_at, finished_at, turn_at,
    place, canaries, canaries_at
)
values
    (
        '00000000-0000-7000-8000-000000000001', 'default', '{"action":"retry"}', '{"dead":{"kind":"mail.send"}}', 'the mailbox is back', 'ops', 'req-1',
        2, 1, 1, 1, 0, $now, $now, $now, $now, '$id5', array['$id5'::uuid], null
    ),
    (
        '00000000-0000-7000-8000-000000000002', 'default', '{"action":"cancel"}', '{"ids":["$id3"]}', 'too late', 'ops', 'req-2',
        0, null, 0, 0, 0, $now, $now, null, $now, null, '{}', null
    );
