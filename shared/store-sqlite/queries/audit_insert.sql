-- Records who did what.
insert into audit (at, tenant, actor, request_id, action, target, data) values (?, ?, ?, ?, ?, ?, ?);
