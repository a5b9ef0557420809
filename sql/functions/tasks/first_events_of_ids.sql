-- What each of these ids stands for: the first event in its stream, or what is left to the
-- coordinator under it. No row for an id that is free.

create or replace function flowledger.first_events_of_ids(p_ids uuid[])
returns table (id uuid, topic text, state bytea)
language sql
stable
as $$
    select e.originator_id, e.topic, e.state
    from flowledger.event as e
    where e.originator_id = any (p_ids) and e.originator_version = 1
    union all
    select s.task_id, s.topic, s.state
    from flowledger.submission as s
    where s.task_id = any (p_ids)
        and not exists (select from flowledger.event as e where e.originator_id = s.task_id);
$$;
