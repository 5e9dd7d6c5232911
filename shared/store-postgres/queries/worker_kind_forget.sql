-- Deletes the kinds of workers that were deleted.
delete from worker_kind where worker_id not in (select id from worker);
