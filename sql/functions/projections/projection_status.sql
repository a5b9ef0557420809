-- Every generation that is not retired: how far it is, how far behind, why it stands still, and
-- whether it is well. p_patience is in seconds: who is behind and has not moved for longer is not
-- well, nor who is paused; who is behind and moves is.
--
-- behind counts places of the log, some of which may be empty. lag is the age in seconds of the
-- oldest event that is not in the rows. seconds_left is null of one that does not move, and
-- once it had caught up: how fast it was in quiet times says nothing of how fast it is. skipped
-- counts the events that an operator had it pass over, parked those that it put aside by itself.
-- code_changed: a process had other code of the same version than that it was built with.
-- drop: function flowledger.projection_status(double precision)

create or replace function flowledger.projection_status(p_patience double precision default 60)
returns table (
    name text, generation integer, version integer, state text, standing text, healthy boolean,
    "position" bigint, head bigint, behind bigint, lag double precision,
    host text, pid integer, failed_position bigint, failure text, failures integer, parked bigint,
    rate double precision, seconds_left double precision, created_at timestamptz,
    moved_at timestamptz, skipped bigint, code_changed boolean
)
language sql
stable
as $$
    with head as (
        select coalesce(max(e.notification_id), 0) as head from flowledger.event as e
    ),

    placed as (
        select
            p.*, h.head, greatest(h.head - greatest(p.position, 0), 0) as behind, n.recorded_at as since,
            o.host, o.pid,
            k.parked, k.skipped
        from flowledger.projection as p
        cross join head as h
        left join flowledger.projection_host as o
            on o.host_id = p.leader
            and flowledger.lease_is_unexpired(p.lease_until, p.lease_seconds)
        cross join lateral (
            select
                count(*) filter (where k.skipped_at is null) as parked,
                count(k.skipped_at) as skipped
            from flowledger.parked_event as k
            where k.name = p.name and k.generation = p.generation
                and k.requested_action is distinct from 'dropped'
        ) as k
        left join lateral (
            select e.recorded_at from flowledger.event as e
            where e.notification_id > p.position
            order by e.notification_id
            limit 1
        ) as n on true
        where p.state <> 'retired'
    ),

    judged as (
        select
            p.*,
            p.behind > 0
            and greatest(p.moved_at,
                p.since) < flowledger.seconds_ago(p_patience)
                as stands,
            -- of each by itself: there is no interval between two times without an end
            nullif((p.position::numeric - p.started_from) / nullif(greatest(
                extract(epoch from p.moved_at) - extract(epoch from p.created_at), 0), 0), 0)
                as rate
        from placed as p
    )

    select
        p.name, p.generation, p.version, p.state,
        case
            when p.paused then 'paused'
            when p.failed_position is not null then 'event_failed'
            when p.host is null then 'no_host'
            when p.behind = 0 and p.state = 'serving' then 'caught_up'
            when p.stands then 'stalled'
            when p.state = 'building' then 'rebuilding'
            else 'running'
        end,
        not p.paused and not p.stands and p.failed_position is null,
        p.position, p.head, p.behind,
        coalesce(greatest(extract(epoch from flowledger.clock() - p.since), 0),
        0)::double precision,
        p.host, p.pid, p.failed_position, p.failure, p.failures, p.parked,
        p.rate::double precision,
        case
            when p.behind = 0 then 0
            when p.paused or p.stands or p.failed_position is not null or p.host is null then null
            when p.state = 'serving' and p.position >= p.no_effects_until then null
            else p.behind / p.rate
        end::double precision,
        flowledger.readable_time(p.created_at), flowledger.readable_time(p.moved_at), p.skipped, p.code_changed_at is not null
    from judged as p
    order by p.name, p.generation;
$$;
