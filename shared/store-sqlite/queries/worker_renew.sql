-- Extends a lease that is live: ?1 worker, ?2 now, ?3 lease end.
update worker set lease_until = ?3 where id = ?1 and state = 0 and lease_until > ?2 returning drain;
