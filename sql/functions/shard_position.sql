-- How far the coordinators have come: everything up to this position has been decided on.

create or replace function flowledger.shard_position()
returns bigint
language sql
stable
as $$
    select coalesce(min(s.position), 0) from flowledger.shard as s;
$$;
