-- The events that a projection's serving generation put aside, in the order of the log, and those
-- that an operator had it, or what is being built, pass over.
-- drop: function flowledger.parked_events(text)

create or replace function flowledger.parked_events(p_name text)
returns table (
    generation integer, "position" bigint, task_id uuid, topic text, error text,
    parked_at timestamptz, requested_action text, skipped_at timestamptz
)
language sql
stable
as $$
    select
        k.generation, k.position, k.task_id, e.topic, k.error, k.parked_at, k.requested_action,
        k.skipped_at
    from flowledger.parked_event as k
    join flowledger.projection as p
        on p.name = k.name and p.generation = k.generation
        and (p.state = 'serving' or p.state = 'building' and k.skipped_at is not null)
    left join flowledger.event as e on e.notification_id = k.position
    where k.name = p_name and k.requested_action is distinct from 'dropped'
    order by k.position, k.generation;
$$;
