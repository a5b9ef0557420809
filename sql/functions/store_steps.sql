-- Store the readiness of steps from a JSON array of rows, each step once, and count them in the row
-- that the shard has in the tally. Locks: step rows, the shard's tally.
--
-- Row by row, here and where the other rows are stored: each is one look-up by primary key whatever
-- the planner believes about the table, and the coordinator is the only writer, so there is nobody
-- to race with. An insert on conflict would be speculative, which costs a third more WAL.
--
-- The state that a step had is looked up in the same query that reads the JSON. It says whether to
-- insert or to update, which pays for the counting.
-- drop: function flowledger.store_steps(json)

create or replace function flowledger.store_steps(p_rows json, p_shard integer default 0)
returns void
language plpgsql
volatile
as $$
declare
    r record;
    v_states constant text[] := flowledger.step_states();
    v_change bigint[] := array_fill(0, array[array_length(v_states, 1)]);
    v_place integer;
begin
    for r in
        select
            x.*,
            (
                select s.state from flowledger.step as s
                where s.task_id = x.task_id and s.step = x.step
            ) as was
        from json_to_recordset(p_rows) as x (
            task_id uuid, step text, state text, attempt integer, version bigint, due_at timestamptz
        )
    loop
        if r.was is null then
            insert into flowledger.step (task_id, step, state, attempt, stream_version, due_at)
            values (r.task_id, r.step, r.state, r.attempt, r.version, r.due_at);
        else
            update flowledger.step as s
            set state = r.state, attempt = r.attempt, stream_version = r.version, due_at = r.due_at
            where s.task_id = r.task_id and s.step = r.step;

            v_place := array_position(v_states, r.was);
            v_change[v_place] := v_change[v_place] - 1;
        end if;

        v_place := array_position(v_states, r.state);
        v_change[v_place] := v_change[v_place] + 1;
    end loop;

    perform flowledger.tally_steps(p_shard, v_change);
end
$$;
