-- Deletes what earlier versions counted, oldest first: $1 before this minute, $2 limit.
delete from job_stat
where (bucket, queue, kind, worker_id) in (
    select bucket, queue, kind, worker_id from job_stat where bucket < $1 order by bucket, queue, kind, worker_id limit $2
);
