-- Reads the version of the schema (0: only begun), and the name of its first migration.
select coalesce(max(version), 0), (array_agg(description order by version))[1] from _sqlx_migrations where success;
