-- The last event of each of these streams, up to a position.

create or replace function flowledger.last_event_of_streams(p_streams uuid[], p_until bigint)
returns setof flowledger.event
language sql
stable
as $$
    select l.*
    from unnest(p_streams) as s (stream)
    cross join lateral (
        select e.*
        from flowledger.event as e
        where e.originator_id = s.stream and e.notification_id <= p_until
        order by e.originator_version desc
        limit 1
    ) as l;
$$;
