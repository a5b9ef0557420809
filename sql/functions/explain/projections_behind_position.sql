-- The projections whose serving rows do not have the event at a position yet, and why each stands:
-- paused, failed (at which position), not led by any process, or on its way. Nothing of those that
-- no process has ever led, nor of one on its way while the event is not p_patience seconds old.

create or replace function flowledger.projections_behind_position(
    p_position bigint, p_patience double precision
)
returns table (
    name text, "position" bigint, standing text, failed_position bigint, failure text
)
language sql
stable
as $$
    with placed as (
        select
            p.name, p.position, p.failed_position, p.failure,
            case
                when p.paused then 'paused'
                when p.failed_position is not null then 'event_failed'
                when p.leader is null or not flowledger.lease_is_unexpired(p.lease_until, p.lease_seconds)
                    then 'no_host'
                else 'running'
            end as standing
        from flowledger.projection as p
        where p.state = 'serving' and p.epoch > 0 and p.position < p_position
    )

    select p.name, p.position, p.standing, p.failed_position, p.failure
    from placed as p
    where p.standing <> 'running'
        or exists (
            select from flowledger.event as e
            where e.notification_id = p_position
                and e.recorded_at < flowledger.seconds_ago(p_patience)
        )
    order by p.name;
$$;
