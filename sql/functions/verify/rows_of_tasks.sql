-- What is stored beside the log about these tasks, each row as JSON with the table that it is from:
-- task, step, queue, timer, waiting_step, slot, parked_task, and of shard the row by which each task
-- is decided on. Of what a handler said and of a demand it is told whether it can be read. Rows by a step's id come for the whole range in which the ids of the owner's steps lie.

create or replace function flowledger.rows_of_tasks(p_tasks uuid[])
returns table (owner uuid, relation text, stored text)
language sql
stable
as $$
    select t.task_id, 'task', (
        to_jsonb(t) || jsonb_build_object(
            'correlation_id', coalesce(t.correlation_id, t.task_id::text)
        )
    )::text
    from flowledger.task as t
    where t.task_id = any (p_tasks)
    union all
    select s.task_id, 'step', to_json(s)::text
    from flowledger.step as s
    where s.task_id = any (p_tasks)
    union all
    select o.task_id, 'queue', (
        to_jsonb(q) - 'heartbeat_details' || jsonb_build_object(
            'readable_heartbeat', flowledger.json_is_readable(q.heartbeat_details)
        )
    )::text
    from unnest(p_tasks) as o (task_id)
    join flowledger.queue as q on q.step_id
        between flowledger.step_id_lower_bound(o.task_id)
            and flowledger.step_id_upper_bound(o.task_id)
    union all
    select o.task_id, 'timer', to_json(t)::text
    from unnest(p_tasks) as o (task_id)
    join flowledger.timer as t on t.step_id = o.task_id or t.step_id
        between flowledger.step_id_lower_bound(o.task_id)
            and flowledger.step_id_upper_bound(o.task_id)
    union all
    select o.task_id, 'waiting_step', (
        to_jsonb(h) - 'demand' || jsonb_build_object(
            'readable', flowledger.waiting_step_is_readable(h.sort_key, h.demand)
        )
    )::text
    from unnest(p_tasks) as o (task_id)
    join flowledger.waiting_step as h on h.step_id
        between flowledger.step_id_lower_bound(o.task_id)
            and flowledger.step_id_upper_bound(o.task_id)
    union all
    select o.task_id, 'slot', to_json(s)::text
    from unnest(p_tasks) as o (task_id)
    join flowledger.slot as s on s.step_id
        between flowledger.step_id_lower_bound(o.task_id)
            and flowledger.step_id_upper_bound(o.task_id)
    union all
    select k.task_id, 'parked_task', to_json(k)::text
    from flowledger.parked_task as k
    where k.task_id = any (p_tasks)
    union all
    select
        o.task_id, 'shard',
        (
            to_jsonb(d)
            || jsonb_build_object('position', flowledger.shard_position_of_task(o.task_id))
        )::text
    from unnest(p_tasks) as o (task_id)
    join flowledger.counted_shards() as d on d.shard = flowledger.shard_of(o.task_id, d.shards);
$$;
