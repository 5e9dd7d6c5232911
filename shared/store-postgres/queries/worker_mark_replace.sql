-- Notes how far a worker has come with its hints: $1 worker, $2 queues, $3 prios, $4 claimed until, $5 held since. Classes that it does not name it does not hold any more.
with let_go as (
    update worker_mark set held_since = null
    where worker_id = $1 and held_since is not null
        and not exists (
            select 1 from unnest($2::text[], $3::smallint[]) as n (queue, prio) where n.queue = worker_mark.queue and n.prio = worker_mark.prio
        )
)
insert into worker_mark (worker_id, queue, prio, next_until, held_since)
select $1, queue, prio, claimed_until, held_since
from unnest($2::text[], $3::smallint[], $4::bigint[], $5::bigint[]) as m (queue, prio, claimed_until, held_since)
on conflict (worker_id, queue, prio) do update set
    claimed_until = worker_mark.next_until, next_until = greatest(worker_mark.next_until, excluded.next_until), held_since = excluded.held_since;
