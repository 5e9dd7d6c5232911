-- Deletes workers whose lease ended long ago and that hold nothing: $1 length of time, $2 limit, $3 shift of the clock.
delete from worker
where id in (
    select w.id from worker as w
    where w.state <> 0 and w.lease_until < flotilla_now() + $3 - $1 and not exists (select 1 from claim where claim.worker_id = w.id)
    limit $2
);
