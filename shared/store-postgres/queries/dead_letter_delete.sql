-- Takes back the record of a death: $1 job.
delete from dead_letter where job_id = $1;
