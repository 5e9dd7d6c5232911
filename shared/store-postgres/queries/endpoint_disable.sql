-- Disables an endpoint, or enables it without a time: $1 tenant, $2 name, $3 time, $4 reason.
update endpoint set disabled_at = $3, disabled_reason = $4 where tenant = $1 and name = $2;
