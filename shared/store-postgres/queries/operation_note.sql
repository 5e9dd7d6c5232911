-- Notes how far an operation has come: $1 id, $2 state, $3 looked at, $4 done, $5 skipped, $6 error, $7 updated, $8 finished, $9 how long it waits for its next turn, $10 place, $11 canaries, $12 since when the others wait for them, $13 shift of the clock.
update operation set
    state = $2,
    looked_at = $3,
    done = $4,
    skipped = $5,
    error = $6,
    updated_at = $7,
    finished_at = $8,
    turn_at = flotilla_now() + $13 + $9,
    place = $10,
    canaries = $11,
    canaries_at = $12
where id = $1 and state < 2;
