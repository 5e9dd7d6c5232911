-- Counts the running jobs.
select count(*) from job where state = 2;
