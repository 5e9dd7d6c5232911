-- Notes that running jobs shall be cancelled: ?1 ids.
update job set cancel_requested = 1 where id in (select unhex(value) from json_each(?1)) and state = 2;
