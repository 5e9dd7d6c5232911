-- Lets an open operation wait for its next turn: $1 id, $2 how long, $3 shift of the clock.
update operation set turn_at = flotilla_now() + $3 + $2 where id = $1 and state < 2;
