-- What a fleet on number 1 left behind: a queued, a waiting, a parked and a dead job, with what belongs to them.
insert into tenant (name, created_at) values ('default', 1700000000000000);
insert into queue (name) values ('mail');

insert into job (
    id, tenant, kind, queue, prio, state, waiting_for, run, attempt, max_attempts, timeout_ms, created_at, due_at, run_at, started_at,
    finished_at, run_by, claim_id, trace, tags, error, payload
) values
(
    x'0192f0c17b1e7cc398c4dc0c0c073901', 'default', 'mail.send', 'mail', 2, 1, null, 0, 0, 3, 60000, 1730000000000000, 1730000000000000,
    1730000000000000, null, null, null, null, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '["a"]', null, '{}'
),
(
    x'0192f0c17b1e7cc398c4dc0c0c073902', 'default', 'mail.send', 'mail', 2, 0, 0, 0, 0, 3, 60000, 1730000000000000, 4100000000000000,
    4100000000000000, null, null, null, null, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '[]', null, '{}'
),
(
    x'0192f0c17b1e7cc398c4dc0c0c073903', 'default', 'mail.send', 'mail', 2, 0, 7, 0, 0, 3, 60000, 1730000000000000, 1730000000000000,
    1730000000000000, null, null, null, null, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '[]', null, '{}'
),
(
    x'0192f0c17b1e7cc398c4dc0c0c073904', 'default', 'mail.send', 'mail', 2, 4, null, 1, 1, 3, 60000, 1730000000000000, 1730000000000000,
    1730000000000000, 1730000001000000, 1730000002000000, x'0192f0c17b1e7cc398c4dc0c0c0739aa', x'0192f0c17b1e7cc398c4dc0c0c0739bb',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '[]',
    '{"class":"permanent","code":"http_404","message":"no such mailbox"}', '{}'
);

insert into timer (run_at, job_id, what) values (4100000000000000, x'0192f0c17b1e7cc398c4dc0c0c073902', 0);
insert into parked (reason, key, prio, job_id, tenant, queue, kind)
values (7, 'mail.send', 2, x'0192f0c17b1e7cc398c4dc0c0c073903', 'default', 'mail', 'mail.send');
insert into job_event (job_id, at, run, from_state, to_state, waiting_for, actor, data) values
(x'0192f0c17b1e7cc398c4dc0c0c073903', 1730000000500000, 0, 1, 0, 7, 'worker', null),
(
    x'0192f0c17b1e7cc398c4dc0c0c073904', 1730000002000000, 1, 2, 4, null, 'worker:0192f0c1-7b1e-7cc3-98c4-dc0c0c0739aa',
    '{"class":"permanent","code":"http_404","message":"no such mailbox"}'
);
insert into dead_letter (job_id, tenant, queue, kind, fingerprint, reason, at)
values (x'0192f0c17b1e7cc398c4dc0c0c073904', 'default', 'mail', 'mail.send', 'mail.send/permanent/http_404', 'http_404', 1730000002000000);
insert into audit (at, tenant, actor, request_id, action, target)
values (1730000000000000, 'default', 'ops', 'req-1', 'key.create', 'a key');
