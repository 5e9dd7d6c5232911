-- Keeps what attempts wrote: $1 jobs, $2 runs, $3 lines, $4 outputs. A repeated settlement wrote its own before.
insert into job_log (job_id, run, lines, output)
select job_id, run, lines, output from unnest($1::uuid[], $2::int[], $3::text[], $4::text[]) as l (job_id, run, lines, output)
on conflict (job_id, run) do nothing;
