-- Keeps broker messages that were no hints: $1 queues, $2 reasons, $3 message ids, $4 sizes, $5 samples, $6 now.
insert into poison (at, queue, reason, message_id, bytes, sample)
select $6, queue, reason, message_id, bytes, sample
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bytea[]) as p (queue, reason, message_id, bytes, sample);
