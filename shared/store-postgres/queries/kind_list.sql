-- Reads every kind that any worker registered.
select name, queue, schema, max_attempts, timeout_ms, retry, effects from kind order by name;
