-- Finds confirmed ledger rows of a class that were published before a time and, when that matters, that no live worker may hold: $1 queue, $2 prio, $3 before, $4 whether workers' hints are spared, $5 limit, $6 shift of the clock.
select id from emission
where queue = $1 and prio = $2 and published_at <= $3
    and (
        not $4
        or published_at < coalesce(
            (
                select min(mark.held_since)
                from worker_mark as mark
                join worker on worker.id = mark.worker_id
                where mark.queue = $1 and mark.prio = $2 and worker.state = 0 and worker.lease_until > flotilla_now() + $6
            ),
            9223372036854775807
        )
    )
order by id
limit $5
for update skip locked;
