-- Makes sure that queues exist: $1 names.
insert into queue (name) select name from unnest($1::text[]) as q (name) order by name on conflict do nothing;
