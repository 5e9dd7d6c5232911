-- Records a step of an operation that is not over: ?1 operation, ?2 state, ?3 looked at, ?4 done, ?5 skipped, ?6 error, ?7 now, ?8 end, ?9 canaries, ?10 waits for them since, ?11 before, ?12 its next turn.
update operation set
    state = ?2,
    looked_at = ?3,
    done = ?4,
    skipped = ?5,
    error = ?6,
    updated_at = ?7,
    finished_at = ?8,
    canaries = ?9,
    canary_since = ?10,
    before = ?11,
    turn_at = ?12
where id = ?1 and state < 2;
