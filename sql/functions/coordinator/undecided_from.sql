-- Behind this position there may be facts of the shard that are not decided on: its position, or
-- where tasks were created that a joint round has left behind. Some behind it may be decided on.

create or replace function flowledger.undecided_from(p_shard integer)
returns bigint
language sql
stable
as $$
    select least(s.position, s.created_from) from flowledger.shard as s where s.shard = p_shard;
$$;
