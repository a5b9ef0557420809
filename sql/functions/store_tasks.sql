-- Store the state of tasks from a JSON array of rows, each task once, and count them in the row that
-- the shard has in the tally; wake who waits for one that ended. Locks: task rows, the shard's tally.
-- drop: function flowledger.store_tasks(json)

create or replace function flowledger.store_tasks(p_rows json, p_shard integer default 0)
returns void
language plpgsql
volatile
as $$
declare
    r record;
    v_ended boolean := false;
    v_states constant text[] := flowledger.task_states();
    v_paused constant integer := array_length(v_states, 1) + 1;
    v_change bigint[] := array_fill(0, array[v_paused + 1]);
    v_place integer;
begin
    for r in
        select x.*, o.was, o.was_paused
        from json_to_recordset(p_rows) as x (
            task_id uuid, template_id uuid, namespace text, template text, version text, state text,
            stream_version bigint, paused boolean, priority integer, correlation text,
            created_at timestamptz, ended_at timestamptz
        )
        left join lateral (
            select t.state as was, t.paused and t.ended_at is null as was_paused
            from flowledger.task as t
            where t.task_id = x.task_id
            limit 1 -- keeps it a look-up of each
        ) as o on true
    loop
        v_ended := v_ended or r.ended_at is not null;

        if r.was is null then
            insert into flowledger.task (
                task_id, template_id, namespace, template, version, state, stream_version, paused, priority,
                correlation_id, created_at, ended_at
            )
            values (
                r.task_id, r.template_id, r.namespace, r.template, r.version, r.state,
                r.stream_version, r.paused, r.priority, r.correlation, r.created_at, r.ended_at
            );

            v_change[v_paused + 1] := v_change[v_paused + 1] + coalesce(
                (select d.steps from flowledger.template as d where d.template_id = r.template_id), 0
            );
        else
            update flowledger.task as t
            set
                state = r.state, stream_version = r.stream_version, paused = r.paused,
                ended_at = r.ended_at
            where t.task_id = r.task_id;

            v_place := array_position(v_states, r.was);
            v_change[v_place] := v_change[v_place] - 1;
            v_change[v_paused] := v_change[v_paused] - r.was_paused::integer;
        end if;

        v_place := array_position(v_states, r.state);
        v_change[v_place] := v_change[v_place] + 1;
        v_change[v_paused] := v_change[v_paused] + (r.paused and r.ended_at is null)::integer;
    end loop;

    perform flowledger.tally_tasks(p_shard, v_change);

    if v_ended then
        perform pg_notify('flowledger.ended', '');
    end if;
end
$$;
