-- Ends a live worker: $1 worker, $2 retired, $3 shift of the clock.
update worker set state = $2, lease_until = least(lease_until, flotilla_now() + $3) where id = $1 and state = 0;
