-- Answers with a row if the worker's lease is live: $1 worker, $2 shift of the clock.
select 1 from worker where id = $1 and state = 0 and lease_until > flotilla_now() + $2 for key share;
