-- Notes that the broker has confirmed emissions: $1 ids, sorted and each once, $2 when each was published. Those that were claimed meanwhile are gone, those that are being claimed are left.
update emission set published_at = ($2::bigint[])[width_bucket(id, $1)] where id = any(
    array(select id from emission where id = any($1::uuid[]) and published_at is null order by id for no key update skip locked)
);
