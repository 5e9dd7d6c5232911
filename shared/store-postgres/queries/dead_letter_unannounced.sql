-- Reads dead jobs that nobody outside was told of, oldest first: $1 limit.
select job_id, run, queue, kind, reason, fingerprint, attempts, at from dead_letter where not announced order by at limit $1;
