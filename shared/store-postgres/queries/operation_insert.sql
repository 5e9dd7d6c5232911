-- Records an operation unless there is one of this id: $1 id, $2 tenant, $3 act, $4 target, $5 reason, $6 actor, $7 request, $8 canary, $9 now, $10 shift of the clock.
insert into operation (id, tenant, act, target, reason, actor, request_id, state, canary, created_at, updated_at, turn_at)
values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $9, flotilla_now() + $10)
on conflict (id) do nothing;
