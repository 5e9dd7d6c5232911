-- Locks those of these jobs that are still past their retention; one that somebody is working on is left for another pass: $1 to $3 ids, $4 succeeded before, $5 dead before, $6 stopped before.
select id from job
where id = any($1::uuid[]) and id between $2 and $3
    and finished_at < case state when 3 then $4::bigint when 4 then $5 when 5 then $6 when 6 then $6 end
order by id
for update skip locked;
