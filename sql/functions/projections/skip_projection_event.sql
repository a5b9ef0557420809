-- Let the generation of a projection that stands at an event pass over it: the event is put aside
-- as skipped, and the position moves behind it. The epoch goes up, so that whoever leads goes on
-- from there, and what it may be about to store of the event is refused. Returns no row where there
-- is no such projection. Raises FL008, with the place, where none of its generations stands at that
-- event. Locks: the rows of its generations.

create or replace function flowledger.skip_projection_event(p_name text, p_position bigint)
returns table (generation integer, task_id uuid, topic text, error text)
language plpgsql
volatile
as $$
declare
    v_standing text;
begin
    perform from flowledger.projection as p
    where p.name = p_name and p.state <> 'retired'
    order by p.generation
    for update;

    select string_agg(
        format('generation %s ', p.generation) || case
            when p.failed_position > p.position then 'stands at ' || p.failed_position
            when p.failed_position is not null then
                format('is at %s, and what it waits for is no event: %s', p.position, p.failure)
            else format('is at %s and stands at no event', p.position)
        end,
        '; ' order by p.generation
    ) into v_standing
    from flowledger.projection as p
    where p.name = p_name and p.state <> 'retired';

    if v_standing is null then
        return;
    end if;

    return query
    with skipped as (
        insert into flowledger.parked_event as k (
            name, generation, position, task_id, error, parked_at, skipped_at, traceback
        )
        select
            p.name, p.generation, e.notification_id, e.task_id, p.failure, p.failed_at,
            flowledger.clock(), p.failure_traceback
        from flowledger.projection as p
        join flowledger.event as e on e.notification_id = p.failed_position
        where p.name = p_name and p.state <> 'retired' and p.failed_position = p_position
            and p.failed_position > p.position
        on conflict on constraint parked_event_pkey do update set skipped_at = excluded.skipped_at
        returning k.*
    ),

    moved as (
        update flowledger.projection as p
        set position = s.position, epoch = greatest(flowledger.bounded_count(p.epoch), 0) + 1,
            moved_at = flowledger.clock(),
            failed_position = null, failure = null, failure_traceback = null,
            failed_at = null, failures = 0
        from skipped as s
        where p.name = s.name and p.generation = s.generation
    )

    select s.generation, s.task_id, e.topic, s.error
    from skipped as s
    join flowledger.event as e on e.notification_id = s.position;

    if not found then
        raise exception 'projection % does not stand at position %: %',
            p_name, p_position, v_standing
            using errcode = 'FL008';
    end if;

    perform pg_notify('flowledger.projection', p_name);
end
$$;
