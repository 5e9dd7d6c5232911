-- Reads the ids of the jobs that were recorded last, in this transaction: ?1 how many. Rowids only grow, and nobody else writes.
select id from job where rowid > (select max(rowid) from job) - ?1;
