-- Takes up the timers that are due, earliest first; those another process has taken up are left to it: $1 limit, $2 shift of the clock.
select run_at, job_id, what from timer where run_at <= flotilla_now() + $2 order by run_at, job_id, what limit $1 for update skip locked;
