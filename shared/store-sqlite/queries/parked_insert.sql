-- Parks jobs under the key that they wait for.
insert into parked (reason, key, prio, job_id, tenant, queue, kind) values (?, ?, ?, ?, ?, ?, ?);
