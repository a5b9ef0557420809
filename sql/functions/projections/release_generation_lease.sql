-- Give a generation up, so that another host can lead at once. Nothing happens where the epoch is
-- another. Locks: its row.

create or replace function flowledger.release_generation_lease(
    p_name text, p_generation integer, p_epoch bigint
)
returns void
language sql
volatile
as $$
    update flowledger.projection as p
    set leader = null, lease_until = flowledger.clock(), lease_seconds = 0
    where p.name = p_name and p.generation = p_generation and p.epoch = p_epoch;

    select pg_notify('flowledger.projection', p_name);
$$;
