-- Store the state of tasks from a JSON array of rows, each task once, and count them in the row
-- that the shard has in flowledger.state_count; wake who waits for one that ended. As upsert_steps
-- does it. Locks: task rows, the shard's counts.
-- drop: function flowledger.upsert_tasks(json)

create or replace function flowledger.upsert_tasks(p_rows json, p_shard integer default 0)
returns void
language plpgsql
volatile
as $$
declare
    v_ended boolean;
    v_change bigint[];
begin
    with given as materialized (
        select
            x.*, (x.paused and x.ended_at is null)::integer as pauses, o.place, o.was,
            coalesce(o.paused, 0) as paused_before
        from json_to_recordset(p_rows) as x (
            task_id uuid, template_id uuid, namespace text, template text, version text, state text,
            stream_version bigint, paused boolean, priority integer, correlation text,
            created_at timestamptz, ended_at timestamptz, fairness_key text
        )
        left join lateral (
            select
                t.ctid as place, t.state as was, (t.paused
                and t.ended_at is null)::integer as paused
            from flowledger.task as t
            where t.task_id = x.task_id
            limit 1 -- keeps it a look-up of each
        ) as o on true
    ),

    changed as (
        update flowledger.task as t
        set
            state = g.state, stream_version = g.stream_version, paused = g.paused,
            ended_at = g.ended_at
        from given as g
        where t.ctid = g.place
    ),

    added as (
        insert into flowledger.task (
            task_id, template_id, namespace, template, version, state, stream_version, paused,
            priority,
            correlation_id, created_at, ended_at, fairness_key
        )
        select
            g.task_id, g.template_id, g.namespace, g.template, g.version, g.state, g.stream_version,
            g.paused, g.priority, g.correlation, g.created_at, g.ended_at, g.fairness_key
        from given as g
        where g.place is null
    )

    select
        bool_or(g.ended_at is not null),
        array[
            count(*) filter (where g.state = 'pending')
            - count(*) filter (where g.was = 'pending'),
            count(*) filter (where g.state = 'in_progress')
            - count(*) filter (where g.was = 'in_progress'),
            count(*) filter (where g.state = 'waiting')
            - count(*) filter (where g.was = 'waiting'),
            count(*) filter (where g.state = 'blocked')
            - count(*) filter (where g.was = 'blocked'),
            count(*) filter (where g.state = 'complete')
            - count(*) filter (where g.was = 'complete'),
            count(*) filter (where g.state = 'error')
            - count(*) filter (where g.was = 'error'),
            count(*) filter (where g.state = 'cancelled')
            - count(*) filter (where g.was = 'cancelled'),
            count(*) filter (where g.state = 'resolved_manually')
            - count(*) filter (where g.was = 'resolved_manually'),
            sum(g.pauses - g.paused_before),
            sum(case when g.place is null then coalesce(d.steps, 0) else 0 end)
        ]
    into v_ended, v_change
    from given as g
    left join flowledger.template as d on d.template_id = g.template_id;

    perform flowledger.add_shard_task_counts(p_shard, v_change);

    if v_ended then
        perform pg_notify('flowledger.ended', '');
    end if;
end
$$;
