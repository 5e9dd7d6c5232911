-- Records an effect; its row of an earlier try or under another key is replaced.
insert or replace into effect (job_id, name, key, state, run, handle, at) values (?, ?, ?, ?, ?, ?, ?);
