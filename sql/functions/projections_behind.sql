-- The projections whose serving rows do not have the event at a position yet, and why each stands:
-- paused, failed (at which position), not led by any host, or on its way.

create or replace function flowledger.projections_behind(p_position bigint)
returns table (
    name text, "position" bigint, standing text, failed_position bigint, failure text
)
language sql
stable
as $$
    select
        p.name, p.position,
        case
            when p.paused then 'paused'
            when p.failed_position is not null then 'event_failed'
            when p.leader is null or p.lease_until <= flowledger.clock() then 'no_host'
            else 'running'
        end,
        p.failed_position, p.failure
    from flowledger.projection as p
    where p.state = 'serving' and p.position < p_position
    order by p.name;
$$;
