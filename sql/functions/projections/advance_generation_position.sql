-- Move a generation's position from p_old to p_new; what failed there before has not failed any
-- more. Raises FL002 where position or epoch is another, or the generation is retired: the caller
-- no longer leads, and its rows are not stored either. Locks: its row.

create or replace function flowledger.advance_generation_position(
    p_name text, p_generation integer, p_epoch bigint, p_old bigint, p_new bigint
)
returns void
language plpgsql
volatile
as $$
begin
    update flowledger.projection as p
    set position = p_new, moved_at = flowledger.clock(),
        failed_position = null, failure = null, failure_traceback = null, failed_at = null,
        failures = 0
    where p.name = p_name and p.generation = p_generation
        and p.epoch = p_epoch and p.position = p_old and p.state <> 'retired';

    if not found then
        raise exception 'projection % (generation %) is not at position % with epoch %',
            p_name, p_generation, p_old, p_epoch
            using errcode = 'FL002';
    end if;
end
$$;
