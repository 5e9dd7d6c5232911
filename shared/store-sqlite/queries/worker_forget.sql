-- Deletes workers whose lease ended long ago and that run nothing: ?1 before, ?2 limit.
delete from worker
where id in (
    select w.id from worker as w
    where w.lease_until < ?1 and not exists (select 1 from job where job.worker_id = w.id and job.state = 2)
    limit ?2
);
