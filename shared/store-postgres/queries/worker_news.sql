-- Tells a worker that renews its lease whether cancels of its jobs were asked for, and whether there are claims that it did not name, made before it looked: $1 worker, $2 held claims, $3 when it looked.
select
    exists (select 1 from cancel_asked where worker_id = $1),
    exists (select 1 from claim where worker_id = $1 and at < $3 and id <> all($2::uuid[]));
