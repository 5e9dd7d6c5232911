-- Becomes the one who may compact partitions, for the rest of the transaction, unless there is one; tells whether: $1 lock.
select pg_try_advisory_xact_lock($1);
