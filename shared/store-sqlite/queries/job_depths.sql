-- Counts the queued jobs by class, with when the oldest was accepted.
select class.queue, class.prio, class.queued, (select created_at from job where job.id = class.oldest)
from (
    select queue, prio, count(*) as queued, min(id) as oldest from job where state = 1 group by queue, prio
) as class
order by class.queue, class.prio desc;
