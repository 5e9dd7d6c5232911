-- Deletes claims of a worker of which it says that it has recorded every end: $1 worker, $2 claims.
delete from claim where worker_id = $1 and id = any($2::uuid[]);
