-- Makes sure that a tenant exists: $1 name, $2 now.
insert into tenant (name, created_at) values ($1, $2)
on conflict do nothing;
