-- Reads the database's time.
select flotilla_now();
