-- Keeps what attempts wrote.
insert or replace into job_log (job_id, run, lines, output) values (?, ?, ?, ?);
