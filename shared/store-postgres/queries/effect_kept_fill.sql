-- Copies what belongs to jobs that are kept: $1 from this id on, $2 before this id. What is there already stays as it is.
insert into effect_kept
select * from effect where job_id >= $1 and job_id < $2 and job_id in (select id from job_kept)
    and job_id not in (select job_id from effect_kept);
