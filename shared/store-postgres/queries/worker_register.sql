-- Records a worker with a fresh lease; repeated by one that was not declared dead, the lease is extended: $1 id, $2 name, $3 host, $4 pid, $5 slots, $6 version, $7 length of a lease, $8 shift of the clock.
insert into worker (id, name, host, pid, slots, version, state, lease_until, registered_at)
values ($1, $2, $3, $4, $5, $6, 0, flotilla_now() + $8 + $7, flotilla_now() + $8)
on conflict (id) do update set lease_until = excluded.lease_until where worker.state = 0;
