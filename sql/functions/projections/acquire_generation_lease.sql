-- Become or stay the leader of a generation; a new leader gets a new epoch. Returns no row while
-- another holds the lease, and where the generation is retired. failures are those at the event
-- where it stands; none where it was resumed. p_code is a fingerprint of the leader's code, null
-- where nobody knows; code_changed says whether a process had other code of the same
-- version than that it was built with. Locks: its row.
-- drop: function flowledger.acquire_generation_lease(text, integer, uuid, double precision)

create or replace function flowledger.acquire_generation_lease(
    p_name text, p_generation integer, p_host uuid, p_lease double precision,
    p_code text default null
)
returns table (
    epoch bigint, "position" bigint, state text, no_effects_until bigint, paused boolean,
    failures integer, code_changed boolean
)
language sql
volatile
as $$
    update flowledger.projection as p
    set leader = p_host,
        epoch = greatest(flowledger.bounded_count(p.epoch), 0)
            + (p.leader is distinct from p_host)::integer,
        lease_until = flowledger.clock() + make_interval(secs => p_lease),
        lease_seconds = p_lease,
        code = coalesce(p.code, p_code),
        other_code = case when p.code <> p_code then p_code else p.other_code end,
        code_changed_at = case
            when p.code <> p_code then coalesce(p.code_changed_at, flowledger.clock())
            else p.code_changed_at
        end
    where p.name = p_name and p.generation = p_generation and p.state <> 'retired'
        and (p.leader is null or p.leader = p_host or p.lease_until < flowledger.clock())
    returning p.epoch, p.position, p.state, p.no_effects_until, p.paused, p.failures,
        p.code_changed_at is not null;
$$;
