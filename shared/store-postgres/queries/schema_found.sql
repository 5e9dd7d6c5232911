-- Tells whether any migration was ever applied here, and how many tables are here besides: those of extensions, and parts of others, do not count.
select
    to_regclass('_sqlx_migrations') is not null,
    (
        select count(*) from pg_class
        where relnamespace = to_regnamespace(quote_ident(current_schema())) and relkind in ('r', 'p') and not relispartition
            and relname <> '_sqlx_migrations'
            and not exists (select 1 from pg_depend where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e')
    );
