-- Reads the latest broker messages that were no hints, newest first: $1 limit.
select at, queue, reason, message_id, bytes, sample from poison order by id desc limit $1;
