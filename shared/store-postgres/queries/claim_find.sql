-- Reads which jobs a claim took: $1 worker, $2 claim.
select job_ids from claim where worker_id = $1 and id = $2;
