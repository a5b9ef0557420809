-- drop: function flowledger_v1.timeline(uuid)
-- The attempts of one task in the order in which they began. Reads the rows of that task.

create or replace function flowledger_v1.timeline(task uuid)
returns table (
    "position" bigint, step text, attempt integer, outcome text,
    enqueued_at timestamptz, started_at timestamptz, ended_at timestamptz,
    offset_seconds double precision, queue_seconds double precision, run_seconds double precision,
    worker uuid, error_class text, error_message text, category text,
    as_of_position bigint, as_of timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_known record;
begin
    perform flowledger.require_known_tasks(task);

    select a.position, a.at into v_known from flowledger.projection_freshness('flowledger_history') as a;

    return query
    select
        a.opened, a.step, a.attempt, a.outcome, a.enqueued_at, a.started_at, a.ended_at,
        extract(epoch from coalesce(a.enqueued_at, a.started_at, a.ended_at) - t.created_at)
            ::double precision,
        extract(epoch from a.started_at - a.enqueued_at)::double precision,
        extract(epoch from a.ended_at - a.started_at)::double precision,
        a.worker, a.error_class, a.error_message, a.category,
        v_known.position, v_known.at
    from flowledger_history.attempt as a
    join flowledger_history.task_history as t on t.task_id = a.task_id
    where a.task_id = task
    order by a.opened;
end
$$;

comment on function flowledger_v1.timeline(uuid) is
    'Every attempt at a step of a task, and what else became of its steps, in the order in which '
    'that began. outcome is null while an attempt is queued or runs. A row that was never enqueued '
    'is an operator''s word about a step (cancelled, skipped, reset, resolved_manually, '
    'completed_manually), or says that it was given up (errored). offset_seconds counts from the '
    'task''s submission. Read from the projection flowledger_history, '
    'as_of a time and a position of the log.
Example: select step, attempt, outcome, queue_seconds, run_seconds from flowledger_v1.timeline(''01890a5d-ac96-774b-bcce-b302099a8057'')';
