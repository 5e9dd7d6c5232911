-- Notes that a running job shall be cancelled: ?1 job.
update job set cancel_requested = 1 where id = ?1 and state = 2;
