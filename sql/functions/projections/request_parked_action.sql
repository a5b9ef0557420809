-- Ask that parked events are retried or dropped: of one task, at one position, or all (both null).
-- One that an operator had it pass over is meant only where its position is given.
-- Returns how many. Locks: the rows of these events.

create or replace function flowledger.request_parked_action(
    p_name text, p_action text, p_task uuid, p_position bigint
)
returns bigint
language sql
volatile
as $$
    select pg_notify('flowledger.projection', p_name);

    with asked as (
        update flowledger.parked_event as k
        set requested_action = p_action
        from flowledger.projection as p
        where k.name = p_name and p.name = p_name and p.generation = k.generation
            and p.state = 'serving' and k.requested_action is distinct from 'dropped'
            and (p_task is null or k.task_id = p_task)
            and (p_position is null and k.skipped_at is null or k.position = p_position)
        returning 1
    )

    select count(*) from asked;
$$;
