-- Records an API key: $1 id, $2 tenant, $3 name, $4 scopes, $5 hash, $6 now.
insert into api_key (id, tenant, name, scopes, hash, created_at) values ($1, $2, $3, $4, $5, $6)
returning id, tenant, name, scopes, hash, created_at, revoked_at;
