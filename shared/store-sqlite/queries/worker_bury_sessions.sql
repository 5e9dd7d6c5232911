-- Declares workers dead that registered before this session: ?1 session, ?2 dead.
update worker set state = ?2 where state = 0 and session < ?1;
