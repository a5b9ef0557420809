-- The last checkpoint of each of these steps, unless an operator has reset the step since.

create or replace function flowledger.last_checkpoints_of_steps(p_steps uuid[])
returns table (
    originator_id uuid, originator_version bigint, topic text, state bytea, task_id uuid
)
language sql
stable
as $$
    select e.originator_id, e.originator_version, e.topic, e.state, e.task_id
    from unnest(p_steps) as s (step_id)
    cross join lateral (
        select *
        from flowledger.event as f
        where f.originator_id = s.step_id and f.topic in ('step.checkpointed', 'step.reset')
        order by f.originator_version desc
        limit 1
    ) as e
    where e.topic = 'step.checkpointed';
$$;
