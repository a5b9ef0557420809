-- Behind this position tasks of the shard were created that are not decided on, although its position
-- is further on; null where all are.

create or replace function flowledger.creations_left_behind(p_shard integer)
returns bigint
language sql
stable
as $$
    select max(s.created_from)
    from flowledger.shard as s
    where s.shard = p_shard and s.created_from < s.position;
$$;
