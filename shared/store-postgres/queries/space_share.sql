-- Waits until nobody compacts partitions, and keeps others from it for the rest of the transaction: $1 lock.
select pg_advisory_xact_lock_shared($1);
