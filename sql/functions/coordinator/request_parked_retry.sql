-- Have parked tasks tried again by whoever leads their shards: these, or all of them where p_tasks
-- is null. Returns those that are parked. Wakes the coordinators.

create or replace function flowledger.request_parked_retry(p_tasks uuid[] default null)
returns setof uuid
language sql
volatile
as $$
    select pg_notify('flowledger.clock', '');

    update flowledger.parked_task as k
    set wanted = true
    where p_tasks is null or k.task_id = any (p_tasks)
    returning k.task_id;
$$;
