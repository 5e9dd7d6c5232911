-- Adds to the audit log: $1 now, $2 tenant, $3 actor, $4 request, $5 action, $6 target, $7 data.
insert into audit (at, tenant, actor, request_id, action, target, data) values ($1, $2, $3, $4, $5, $6, $7);
