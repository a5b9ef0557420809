-- Store the state of tasks from a JSON array of rows; wake who waits for one that ended.
-- Locks: task rows.

create or replace function flowledger.store_tasks(p_rows json)
returns void
language plpgsql
volatile
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    merge into flowledger.task as t
    using json_to_recordset(p_rows) as r (
        task_id uuid, template_id uuid, namespace text, template text, version text, state text,
        stream_version bigint, priority integer, correlation text,
        created_at timestamptz, ended_at timestamptz
    )
    on t.task_id = r.task_id
    when matched then update
    set state = r.state, stream_version = r.stream_version, ended_at = r.ended_at
    when not matched then insert (
        task_id, template_id, namespace, template, version, state, stream_version, priority,
        correlation_id, created_at, ended_at
    )
    values (
        r.task_id, r.template_id, r.namespace, r.template, r.version, r.state, r.stream_version,
        r.priority, r.correlation, r.created_at, r.ended_at
    );

    perform pg_notify('flowledger.ended', '')
    from json_to_recordset(p_rows) as r (ended_at timestamptz)
    where r.ended_at is not null
    limit 1;
end
$$;
