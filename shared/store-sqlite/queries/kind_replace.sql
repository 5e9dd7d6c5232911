-- Records kinds as their workers know them now.
insert or replace into kind (name, queue, schema, max_attempts, timeout_ms, retry, effects) values (?, ?, ?, ?, ?, ?, ?);
