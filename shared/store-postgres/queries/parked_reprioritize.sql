-- Lets parked jobs wait in another class: $1 to $3 ids, $4 prio.
update parked set prio = $4 where job_id = any($1::uuid[]) and job_id between $2 and $3;
