-- Extends the lease of a worker that was neither declared dead nor has retired; one that is over counts as long as nobody acted on it: $1 worker, $2 length of a lease, $3 shift of the clock.
update worker set lease_until = flotilla_now() + $3 + $2 where id = $1 and state = 0 returning drain;
