-- Renew the leases of all generations that a host leads, and tell of them what
-- acquire_generation_lease tells. One whose row is locked is passed over: its host asks for it apart.
-- Locks: the rows of these generations, without waiting.

create or replace function flowledger.renew_generation_leases(
    p_host uuid, p_lease double precision
)
returns table (
    name text, generation integer, epoch bigint, "position" bigint, state text,
    no_effects_until bigint, paused boolean, failures integer, code_changed boolean
)
language sql
volatile
as $$
    update flowledger.projection as p
    set lease_until = flowledger.clock() + make_interval(secs => p_lease),
        lease_seconds = p_lease
    where (p.name, p.generation) in (
        select o.name, o.generation
        from flowledger.projection as o
        where o.leader = p_host and o.state <> 'retired'
        for no key update skip locked
    )
    returning p.name, p.generation, p.epoch, p.position, p.state, p.no_effects_until, p.paused,
        p.failures, p.code_changed_at is not null;
$$;
