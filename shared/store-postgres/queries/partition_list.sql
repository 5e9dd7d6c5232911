-- Reads a table's partitions with their bounds, in order: $1 table.
select
    part.relname::text,
    (regexp_match(bounds.text, $re$FROM \('([0-9a-f-]{36})'\)$re$))[1]::uuid as low,
    (regexp_match(bounds.text, $re$TO \('([0-9a-f-]{36})'\)$re$))[1]::uuid as high
from pg_inherits
join pg_class as part on part.oid = pg_inherits.inhrelid
cross join lateral (select pg_get_expr(part.relpartbound, part.oid) as text) as bounds
where pg_inherits.inhparent = to_regclass($1) and not pg_inherits.inhdetachpending
order by low;
