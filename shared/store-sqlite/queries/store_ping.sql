-- Answers.
select 1;
