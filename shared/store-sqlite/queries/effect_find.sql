-- Reads what is known of an effect: ?1 job, ?2 name, ?3 key.
select state, run, handle from effect where job_id = ?1 and name = ?2 and key = ?3;
