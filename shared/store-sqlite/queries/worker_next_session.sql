-- Numbers this opening of the database: workers of lower sessions belong to processes that are gone.
select coalesce(max(session), 0) + 1 from worker;
