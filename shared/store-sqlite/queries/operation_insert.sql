-- Records an operation, unless it is there already.
insert or ignore into operation (id, tenant, act, target, reason, actor, request_id, canary, created_at, updated_at, turn_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9);
