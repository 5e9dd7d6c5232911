-- Reads the queues that exist.
select name from queue order by name;
