-- Tells whose database file this is: the mark of its program, and how many tables it has.
select (select application_id from pragma_application_id), (select count(*) from sqlite_schema where type = 'table' and name <> '_sqlx_migrations');
