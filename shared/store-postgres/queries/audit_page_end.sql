-- Reads the row where a bounded look at the audit log stopped, if there are more after it: $1 tenant, $2 before this row, $3 rows looked at.
select last.id
from (
    select id from audit where tenant = $1 and id < $2 order by id desc limit 1 offset $3 - 1
) as last
where exists (select 1 from audit where tenant = $1 and id < last.id);
