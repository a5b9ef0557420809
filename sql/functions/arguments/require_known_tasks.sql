-- Tasks that somebody names. Raises P0002, with the first of them that was never submitted, and
-- 22004 where one is null.

create or replace function flowledger.require_known_tasks(variadic p_tasks uuid[])
returns void
language plpgsql
stable
as $$
declare
    v_unknown uuid;
begin
    perform flowledger.require_not_null('task', array_position(p_tasks, null) is null);

    select t.task into v_unknown
    from unnest(p_tasks) with ordinality as t (task, n)
    where not exists (select from flowledger.task as k where k.task_id = t.task)
    and not exists (
        select from flowledger.event as e
        where e.originator_id = t.task and e.originator_version = 1 and e.task_id = t.task
    )
    and not exists (select from flowledger.submission as s where s.task_id = t.task)
    order by t.n
    limit 1;

    if found then
        raise exception 'there is no task %', v_unknown using errcode = 'P0002';
    end if;
end
$$;
