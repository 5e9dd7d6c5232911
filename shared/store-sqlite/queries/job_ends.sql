-- Reads where jobs stand, and of what they died: ?1 ids.
select id, state, error ->> 'code', error ->> 'message' from job where id in (select unhex(value) from json_each(?1)) order by id;
