-- Reads the database's time, and when its server started.
select flotilla_now(), (extract(epoch from pg_postmaster_start_time()) * 1000000)::bigint;
