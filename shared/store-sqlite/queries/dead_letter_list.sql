-- Reads dead letters of a tenant with what their jobs tell of the death: ?1 tenant, ?2 ids.
select
    letter.job_id, letter.queue, letter.kind, letter.fingerprint, letter.reason, job.error ->> 'message', job.error ->> 'hint', job.attempt,
    letter.at
from dead_letter as letter
join job on job.id = letter.job_id
where letter.job_id in (select unhex(value) from json_each(?2)) and letter.tenant = ?1;
