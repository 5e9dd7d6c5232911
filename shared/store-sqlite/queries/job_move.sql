-- Moves jobs out of the state and run in which the caller saw them: ?1 the moves.
update job set
    state = m.to_state,
    waiting_for = m.waiting_for,
    run_at = coalesce(m.run_at, job.run_at),
    due_at = coalesce(m.due_at, job.due_at),
    attempt = m.attempt,
    crashes = m.crashes,
    ever_started = m.ever_started,
    finished_at = m.finished_at,
    error = coalesce(m.error, job.error),
    progress = coalesce(m.progress, job.progress),
    worker_id = null
from (
    select
        unhex(value ->> 'id') as id,
        value ->> 'run' as run,
        value ->> 'from' as from_state,
        value ->> 'to' as to_state,
        value ->> 'waiting_for' as waiting_for,
        value ->> 'run_at' as run_at,
        value ->> 'due_at' as due_at,
        value ->> 'attempt' as attempt,
        value ->> 'crashes' as crashes,
        value ->> 'ever_started' as ever_started,
        value ->> 'finished_at' as finished_at,
        value ->> 'error' as error,
        value ->> 'progress' as progress
    from json_each(?1)
) as m
where job.id = m.id and job.run = m.run and job.state = m.from_state;
