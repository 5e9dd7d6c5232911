-- Moves waiting and queued jobs into another class: $1 to $3 ids, sorted and each once, $4 prio, $5 the emissions that list them; those that wait are in none.
update job set
    prio = $4,
    emission_id = coalesce(($5::uuid[])[width_bucket(job.id, $1)], job.emission_id)
where job.id = any($1::uuid[]) and job.id between $2 and $3 and job.state in (0, 1);
