-- Moves jobs out of the state and run in which the caller saw them: $1 to $3 ids, $4 the moves.
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
    emission_id = coalesce(m.emission_id, job.emission_id),
    worker_id = null
from json_to_recordset($4::json) as m (
    id uuid, run int, from_state smallint, to_state smallint, waiting_for smallint, run_at bigint, due_at bigint, attempt smallint, crashes smallint,
    ever_started boolean, finished_at bigint, error text, progress text, emission_id uuid
)
where job.id = m.id and m.id = any($1::uuid[]) and job.id between $2 and $3 and job.run = m.run and job.state = m.from_state;
