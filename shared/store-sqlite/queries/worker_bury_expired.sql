-- Declares workers dead whose lease is over: ?1 now on the lease clock, ?2 dead.
update worker set state = ?2 where state = 0 and lease_until <= ?1 returning id;
