-- The shard of a task where there are p_shards of them: the last 24 bits of its id, which are
-- random, modulo their number; null where there are none. flowledger.engine.domain.shard_assignment has the same rule.

create or replace function flowledger.shard_of(p_task uuid, p_shards integer)
returns integer
language sql
immutable
parallel safe
as $$
    select (
        get_byte(uuid_send(p_task), 13) * 65536
        + get_byte(uuid_send(p_task), 14) * 256
        + get_byte(uuid_send(p_task), 15)
    ) % nullif(p_shards, 0);
$$;
