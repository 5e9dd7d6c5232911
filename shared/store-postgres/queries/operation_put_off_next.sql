-- Lets the open operation whose turn it is wait: $1 how long, $2 shift of the clock.
update operation set turn_at = flotilla_now() + $2 + $1
where id = (select id from operation where state < 2 and turn_at <= flotilla_now() + $2 order by turn_at, id limit 1 for update skip locked);
