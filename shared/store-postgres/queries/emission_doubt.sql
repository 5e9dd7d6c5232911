-- Makes confirmed ledger rows unconfirmed, due at once; those that are being claimed are left: $1 ids, $2 shift of the clock.
update emission set published_at = null, tries = 0, retry_at = flotilla_now() + $2
where id = any(
    array(select id from emission where id = any($1::uuid[]) and published_at is not null order by id for no key update skip locked)
);
