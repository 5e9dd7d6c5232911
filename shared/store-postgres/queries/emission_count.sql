-- Counts the ledger's rows: those that the broker has not confirmed, and the others.
select count(*) filter (where published_at is null), count(*) filter (where published_at is not null) from emission;
