-- Deletes the marks of workers that were deleted.
delete from worker_mark where worker_id not in (select id from worker);
