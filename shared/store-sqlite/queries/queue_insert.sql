-- Makes sure that queues exist.
insert or ignore into queue (name) values (?);
