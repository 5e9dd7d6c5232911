-- Declares workers dead whose lease is over: $1 dead, $2 shift of the clock. Those that are claiming at this moment are left for the next look.
update worker set state = $1
where id in (select id from worker where state = 0 and lease_until <= flotilla_now() + $2 order by id for update skip locked)
returning id;
