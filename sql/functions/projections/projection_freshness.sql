-- How far the log has been read into the rows of a projection that answers are read from: the
-- position, and when the last event up to there was recorded; and whether it is paused. No row where
-- there is no such projection; nulls where it has read nothing.
-- drop: function flowledger.projection_freshness(text)

create or replace function flowledger.projection_freshness(p_name text)
returns table ("position" bigint, at timestamptz, paused boolean)
language sql
stable
as $$
    select a.position, a.at, a.paused from flowledger.projection_as_of as a where a.name = p_name;
$$;
