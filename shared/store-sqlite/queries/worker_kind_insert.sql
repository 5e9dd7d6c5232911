-- Records which kinds a worker runs.
insert or ignore into worker_kind (worker_id, kind) values (?, ?);
