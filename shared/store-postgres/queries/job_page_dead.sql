-- Finds dead jobs of a tenant, newest first, among the next of its dead letters: $1 to $14 as in job_page.
select page.id
from (
    select job_id from dead_letter
    where tenant = $1 and job_id < $2 and job_id >= $3
    order by job_id desc
    limit $4
) as looked
join job as page on page.id = looked.job_id
where page.state = $5
    and ($6::text is null or page.kind = $6)
    and ($7::text is null or page.queue = $7)
    and ($8::text is null or exists (select 1 from json_array_elements_text(page.tags::json) as tag (value) where value = $8))
    and ($9::bigint is null or page.created_at > $9)
    and ($10::bigint is null or page.created_at < $10)
    and (
        $11::text is null
        or page.id between $12::uuid and $13::uuid
        or position($11 in lower(concat_ws(
            E'\n', page.kind, page.queue, page.group_key, page.unique_key,
            case
                when page.error like '%\\u0000%' then page.error
                else concat_ws(E'\n', page.error::json ->> 'code', page.error::json ->> 'message')
            end
        ) collate "C")) > 0
        or exists (select 1 from json_array_elements_text(page.tags::json) as tag (value) where position($11 in lower(value collate "C")) > 0)
    )
order by page.id desc
limit $14;
