-- Deletes ledger rows none of whose jobs is queued under them: $1 ids.
delete from emission where id = any($1::uuid[]);
