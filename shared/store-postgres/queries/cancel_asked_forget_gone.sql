-- Forgets what was asked of workers that were deleted.
delete from cancel_asked where worker_id not in (select id from worker);
