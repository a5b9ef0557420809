-- How far the log has been read into the rows of a projection that answers are read from: the
-- position, and when the last event up to there was recorded. No row where there is no such
-- projection; nulls where it has read nothing.

create or replace function flowledger.as_of(p_name text)
returns table ("position" bigint, at timestamptz)
language sql
stable
as $$
    select nullif(p.position, 0), e.recorded_at
    from flowledger.projection as p
    left join lateral (
        select l.recorded_at
        from flowledger.event as l
        where l.notification_id <= p.position
        order by l.notification_id desc
        limit 1
    ) as e on true
    where p.name = p_name and p.state = 'serving';
$$;
