-- At most p_limit of the tasks that are all of what is given, the newest first, behind p_after. With
-- them are those that no coordinator has taken on:
-- what applications left in transactions of their own, what lies behind the position of the
-- coordinator that is furthest behind, and what is parked. Of these, only the id is known where
-- the payload is encrypted or cannot be read. Tags are those of the read model flowledger_notes.
--
-- Conditions stand in the statement only where they are given, so that the planner sees which index
-- serves each call. Its text is made of constants alone; all values are parameters.

create or replace function flowledger.list_tasks(
    p_limit integer,
    p_namespace text default null,
    p_template text default null,
    p_version text default null,
    p_states text[] default null,
    p_paused boolean default null,
    p_parked boolean default null,
    p_tags text[] default null,
    p_correlation_id text default null,
    p_created_from timestamptz default null,
    p_created_before timestamptz default null,
    p_after uuid default null
)
returns table (
    task_id uuid, namespace text, template text, version text, state text, paused boolean,
    parked boolean, correlation_id text, tags text[], created_at timestamptz, ended_at timestamptz
)
language plpgsql
stable
as $$
declare
    v_open constant text[] := '{submitted,pending,in_progress,waiting,blocked}';
    v_indexed constant text[] := '{blocked,error,cancelled,resolved_manually}';
    v_is_id constant boolean :=
        p_correlation_id ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
    v_parked constant text :=
        'exists (select from flowledger.parked_task as k where k.task_id = t.task_id)';
    v_where constant text := concat_ws(
        ' and ', 'true',
        case when p_namespace is not null then 't.namespace = $2' end,
        case when p_template is not null then 't.template = $3' end,
        case when p_version is not null then 't.version = $4' end,
        case when p_states is not null then 't.state = any ($5)' end,
        case
            when 'complete' = any (p_states) or p_states <@ v_indexed then null
            when p_states <@ v_open then 't.ended_at is null'
            when p_states is not null then
                '(t.ended_at is null'
                ' or t.state = any ($5) and t.state in (''error'', ''cancelled'', ''resolved_manually''))'
        end,
        case p_paused when true then 't.paused' when false then 'not t.paused' end,
        case p_parked when true then v_parked when false then 'not ' || v_parked end,
        (
            select string_agg(
                format(
                    'exists (select from flowledger_v1.tags as g'
                    ' where g.task_id = t.task_id and g.tag = $6[%s])', n
                ), ' and '
            )
            from generate_subscripts(p_tags, 1) as n
        ),
        case
            when v_is_id then
                '(t.correlation_id = $7 and t.correlation_id <> t.task_id::text'
                ' or t.task_id = $7::uuid and coalesce(t.correlation_id, t.task_id::text) = $7)'
            when not v_is_id then 't.correlation_id = $7 and t.correlation_id <> t.task_id::text'
        end,
        case when p_created_from is not null then 't.created_at >= $8' end,
        case when p_created_before is not null then 't.created_at < $9' end,
        case when p_after is not null then 't.task_id < $10' end
    );
    v_newest constant text := ' order by t.task_id desc limit $1';
begin
    return query execute '
        with known as (
            select
                t.task_id, t.namespace, t.template, t.version, t.state, t.paused,
                coalesce(t.correlation_id, t.task_id::text) as correlation_id, t.created_at, t.ended_at
            from flowledger.task as t
            where ' || v_where || v_newest || '
        ),

        submitted as (
            select t.*
            from (
                select
                    s.task_id, p.data ->> ''namespace'' as namespace,
                    p.data ->> ''template'' as template, p.data ->> ''version'' as version,
                    ''submitted'' as state, false as paused,
                    coalesce(p.data ->> ''correlation_id'', s.task_id::text) as correlation_id,
                    s.created_at, null::timestamptz as ended_at
                from (select * from flowledger.submitted_tasks_without_row() as s
                    order by s.task_id desc) as s
                cross join lateral (
                    select flowledger.payload_json(s.payload, s.encoding) as data offset 0
                ) as p
            ) as t
            where ' || v_where || v_newest || '
        ),

        page as (
            select * from known
            union all
            select * from submitted
            order by task_id desc
            limit $1
        )

        select
            t.task_id, t.namespace, t.template, t.version, t.state, t.paused, ' || v_parked || ',
            t.correlation_id,
            array(select g.tag from flowledger_v1.tags as g where g.task_id = t.task_id order by 1),
            t.created_at, t.ended_at
        from page as t
        order by t.task_id desc'
    using
        p_limit, p_namespace, p_template, p_version, p_states, p_tags, p_correlation_id,
        p_created_from, p_created_before, p_after;
end
$$;
