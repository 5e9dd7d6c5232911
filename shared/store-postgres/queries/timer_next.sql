-- Reads when the next timer is due, if there is any.
select min(run_at) from timer;
