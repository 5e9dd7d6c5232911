-- Counts the queued jobs by class, with when the oldest was accepted. Every queued job is listed by its ledger row (I16).
select job.queue, job.prio, count(*), min(job.created_at)
from emission
cross join unnest(emission.job_ids) as m (id)
join job on job.id = m.id
where job.state = 1 and job.emission_id = emission.id
group by job.queue, job.prio
order by job.queue, job.prio desc;
