-- Store the readiness of steps from a JSON array of rows, each step once, and count them in the row
-- that the shard has in flowledger.state_count. Locks: step rows, the shard's counts.
--
-- Each row is looked up by its key and changed where it was found, here and where tasks are stored:
-- so it is whatever the planner believes about the table, be it that it is empty. Only who leads
-- the shard writes its rows, so nobody moves them meanwhile. An insert on conflict would be
-- speculative, which costs a third more WAL.
-- drop: function flowledger.upsert_steps(json)

create or replace function flowledger.upsert_steps(p_rows json, p_shard integer default 0)
returns void
language plpgsql
volatile
as $$
declare
    v_change bigint[];
begin
    with given as materialized (
        select x.*, o.place, o.was
        from json_to_recordset(p_rows) as x (
            task_id uuid, step text, state text, attempt integer, version bigint, due_at timestamptz
        )
        left join lateral (
            select s.ctid as place, s.state as was
            from flowledger.step as s
            where s.task_id = x.task_id and s.step = x.step
            limit 1 -- keeps it a look-up of each
        ) as o on true
    ),

    changed as (
        update flowledger.step as s
        set state = g.state, attempt = g.attempt, stream_version = g.version, due_at = g.due_at
        from given as g
        where s.ctid = g.place
    ),

    added as (
        insert into flowledger.step (task_id, step, state, attempt, stream_version, due_at)
        select g.task_id, g.step, g.state, g.attempt, g.version, g.due_at
        from given as g
        where g.place is null
    )

    select array[
        count(*) filter (where g.state = 'pending')
        - count(*) filter (where g.was = 'pending'),
        count(*) filter (where g.state = 'enqueued')
        - count(*) filter (where g.was = 'enqueued'),
        count(*) filter (where g.state = 'in_progress')
        - count(*) filter (where g.was = 'in_progress'),
        count(*) filter (where g.state = 'waiting_for_retry')
        - count(*) filter (where g.was = 'waiting_for_retry'),
        count(*) filter (where g.state = 'complete')
        - count(*) filter (where g.was = 'complete'),
        count(*) filter (where g.state = 'error')
        - count(*) filter (where g.was = 'error'),
        count(*) filter (where g.state = 'cancelled')
        - count(*) filter (where g.was = 'cancelled'),
        count(*) filter (where g.state = 'resolved_manually')
        - count(*) filter (where g.was = 'resolved_manually'),
        count(*) filter (where g.state = 'skipped')
        - count(*) filter (where g.was = 'skipped')
    ]
    into v_change
    from given as g;

    perform flowledger.add_shard_step_counts(p_shard, v_change);
end
$$;
