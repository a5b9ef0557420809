-- Tasks that applications left in transactions of their own, oldest first.

create or replace function flowledger.left_submissions(p_limit integer)
returns table (submission bigint, task_id uuid, topic text, state bytea)
language sql
stable
as $$
    select s.submission, s.task_id, s.topic, s.state
    from flowledger.submission as s
    order by s.submission
    limit p_limit;
$$;
