-- Let a generation that was built serve, in the place of the one before, which is retired. Returns
-- false where it has not come as far yet, and where somebody reads a view for so long that it
-- cannot change now: new readers would have to wait behind. Raises FL002 where the caller no longer
-- leads, and FL008 where a view cannot change. Locks: the rows of both, the views.

create or replace function flowledger.promote_generation(
    p_name text, p_generation integer, p_epoch bigint
)
returns boolean
language plpgsql
volatile
as $$
declare
    v_old flowledger.projection;
    v_new flowledger.projection;
begin
    select * into v_old from flowledger.projection as p
    where p.name = p_name and p.state = 'serving'
    for update;

    select * into v_new from flowledger.projection as p
    where p.name = p_name and p.generation = p_generation and p.state = 'building'
        and p.epoch = p_epoch
    for update;

    if not found then
        raise exception 'generation % of projection % is not built in epoch %',
            p_generation, p_name, p_epoch
            using errcode = 'FL002';
    end if;

    if v_new.position < v_old.position then
        return false;
    end if;

    perform set_config('lock_timeout', '500ms', true);

    begin
        update flowledger.projection as p set state = 'retired', leader = null
        where p.name = p_name and p.generation = v_old.generation;

        update flowledger.projection as p
        set state = 'serving', paused = v_old.paused, no_effects_until = v_old.position,
            failed_position = null, failure = null, failure_traceback = null,
            failed_at = null, failures = 0
        where p.name = p_name and p.generation = p_generation;

        perform flowledger.point_views_at_generation(p_name, p_generation);
    exception
        when lock_not_available then
            return false;
    end;

    perform pg_notify('flowledger.projection', p_name);
    return true;
end
$$;
