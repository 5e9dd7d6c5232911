-- Records an endpoint unless there is one of this name: $1 tenant, $2 name, $3 url, $4 secret, $5 now, $6 disabled at, $7 reason.
insert into endpoint (tenant, name, url, sealed_secret, created_at, disabled_at, disabled_reason) values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing;
