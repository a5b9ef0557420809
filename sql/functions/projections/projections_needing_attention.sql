-- Generations of projections that stand still, and those that put events aside: why, since when
-- where that is known, and what failed. One that has done both has two rows; standing of the second
-- is parked. Another row, code_changed, is of those for which a process had other code of the same
-- version than that they were built with. p_patience is as that of projection_status.
-- drop: function flowledger.projections_needing_attention(double precision)

create or replace function flowledger.projections_needing_attention(p_patience double precision)
returns table (
    name text, generation integer, state text, standing text, since timestamptz, behind bigint,
    failed_position bigint, failure text, failures integer, parked bigint,
    version integer
)
language sql
stable
as $$
    with standing as (
        select s.*, p.failed_at, p.code_changed_at,
            case
                when isfinite(p.lease_until) then least(p.lease_until, flowledger.clock())
            end as led_until
        from flowledger.projection_status(p_patience) as s
        inner join flowledger.projection as p on p.name = s.name and p.generation = s.generation
    )

    select
        s.name, s.generation, s.state, s.standing,
        case s.standing
            when 'no_host' then s.led_until
            when 'event_failed' then s.failed_at
            when 'paused' then null
            else s.moved_at
        end,
        s.behind, s.failed_position, s.failure, s.failures, s.parked,
        s.version
    from standing as s
    where s.standing in ('paused', 'event_failed', 'no_host', 'stalled')
    union all
    select
        s.name, s.generation, s.state, 'parked', f.parked_at, s.behind, f.position, f.error, null,
        s.parked, s.version
    from standing as s
    cross join lateral (
        select k.parked_at, k.position, k.error
        from flowledger.parked_event as k
        where k.name = s.name and k.generation = s.generation and k.requested_action
            is distinct from 'dropped' and k.skipped_at is null
        order by k.parked_at, k.position
        limit 1
    ) as f
    union all
    select
        s.name, s.generation, s.state, 'code_changed', s.code_changed_at, s.behind, null, null, null,
        s.parked, s.version
    from standing as s
    where s.code_changed
    order by 1, 2, 4;
$$;
