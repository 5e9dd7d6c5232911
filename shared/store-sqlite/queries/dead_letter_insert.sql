-- Records jobs that died; a job that died before replaces its old record.
insert or replace into dead_letter (job_id, tenant, queue, kind, fingerprint, reason, at) values (?, ?, ?, ?, ?, ?, ?);
