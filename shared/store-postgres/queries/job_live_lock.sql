-- Locks the live jobs in a range of ids, and counts them: $1 from this id on, $2 before this id.
select count(*) from (select 1 from job where id >= $1 and id < $2 and state < 3 order by id for update) as live;
