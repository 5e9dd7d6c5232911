-- Records which kinds a worker runs: $1 worker, $2 kinds.
insert into worker_kind (worker_id, kind) select $1, kind from unnest($2::text[]) as k (kind) on conflict do nothing;
