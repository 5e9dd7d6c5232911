-- Answers with a row if the job is this worker's at this run: ?1 job, ?2 worker, ?3 run.
select 1 from job where id = ?1 and worker_id = ?2 and run = ?3 and state = 2;
