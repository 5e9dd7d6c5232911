-- Deletes old figures, oldest first: $1 before this minute, $2 limit.
delete from job_rate
where (bucket, queue, prio, kind, writer) in (
    select bucket, queue, prio, kind, writer from job_rate where bucket < $1 order by bucket, queue, prio, kind, writer limit $2
);
