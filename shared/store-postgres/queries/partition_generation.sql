-- Reads what changes when a partition is made or dropped.
select count(*), coalesce(max(inhrelid::bigint), 0) from pg_inherits where inhparent = to_regclass('job');
