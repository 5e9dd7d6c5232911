-- Reads what a person should know of the server, the role and the ledger.
select
    current_setting('server_version'),
    current_user::text,
    pg_is_in_recovery(),
    has_schema_privilege(current_schema(), 'create'),
    (select bool_and(pg_has_role(relowner, 'usage')) from pg_class where oid in ('job'::regclass, 'job_event'::regclass, 'job_log'::regclass, 'effect'::regclass)),
    current_setting('fsync') = 'on',
    current_setting('full_page_writes') = 'on',
    current_setting('synchronous_commit'),
    current_setting('autovacuum') = 'on' and current_setting('track_counts') = 'on',
    current_setting('max_wal_size'),
    current_setting('max_connections')::int,
    (select count(*) from pg_stat_activity where backend_type = 'client backend'),
    pg_database_size(current_database()),
    (select count(*) from emission where published_at is null),
    (select count(*) from emission where published_at is not null),
    (select id from emission where published_at is null order by id limit 1),
    (
        select (extract(epoch from max(clock_timestamp() - xact_start)) * 1000000)::bigint
        from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    );
