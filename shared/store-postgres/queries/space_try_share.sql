-- Like space_share, but does not wait; tells whether it got the lock: $1 lock.
select pg_try_advisory_xact_lock_shared($1);
