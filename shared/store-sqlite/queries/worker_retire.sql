-- Ends a live worker: ?1 worker, ?2 retired, ?3 now on the lease clock.
update worker set state = ?2, lease_until = min(lease_until, ?3) where id = ?1 and state = 0;
