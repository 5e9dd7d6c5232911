-- Records a worker with a fresh lease; repeated by one that was not declared dead, the lease is extended: ?1 id, ?2 name, ?3 host, ?4 pid, ?5 slots, ?6 version, ?7 session, ?8 lease end, ?9 now.
insert into worker (id, name, host, pid, slots, version, session, state, lease_until, registered_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9)
on conflict (id) do update set lease_until = excluded.lease_until where worker.state = 0;
