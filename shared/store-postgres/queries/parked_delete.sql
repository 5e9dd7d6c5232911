-- Takes jobs out of their parking places: $1 to $3 ids.
delete from parked where job_id = any($1::uuid[]) and job_id between $2 and $3;
