-- Store the state of tasks from a JSON array of rows; wake who waits for one that ended.
-- Locks: task rows.

create or replace function flowledger.store_tasks(p_rows json)
returns void
language plpgsql
volatile
as $$
declare
    r record;
    v_ended boolean := false;
begin
    for r in
        select *
        from json_to_recordset(p_rows) as x (
            task_id uuid, template_id uuid, namespace text, template text, version text, state text,
            stream_version bigint, paused boolean, priority integer, correlation text,
            created_at timestamptz, ended_at timestamptz
        )
    loop
        v_ended := v_ended or r.ended_at is not null;

        update flowledger.task as t
        set
            state = r.state, stream_version = r.stream_version, paused = r.paused,
            ended_at = r.ended_at
        where t.task_id = r.task_id;

        if not found then
            insert into flowledger.task (
                task_id, template_id, namespace, template, version, state, stream_version, paused, priority,
                correlation_id, created_at, ended_at
            )
            values (
                r.task_id, r.template_id, r.namespace, r.template, r.version, r.state,
                r.stream_version, r.paused, r.priority, r.correlation, r.created_at, r.ended_at
            );
        end if;
    end loop;

    if v_ended then
        perform pg_notify('flowledger.ended', '');
    end if;
end
$$;
