-- Waits until nobody else makes or drops partitions, for the rest of the transaction: $1 lock.
select pg_advisory_xact_lock($1);
