-- Store the readiness of steps from a JSON array of rows. Locks: step rows.
--
-- Row by row, here and where the other rows are stored: each is one look-up by primary key whatever
-- the planner believes about the table, and the coordinator is the only writer, so there is nobody
-- to race with. An insert on conflict would be speculative, which costs a third more WAL.

create or replace function flowledger.store_steps(p_rows json)
returns void
language plpgsql
volatile
as $$
declare
    r record;
begin
    for r in
        select *
        from json_to_recordset(p_rows) as x (
            task_id uuid, step text, state text, attempt integer, version bigint, due_at timestamptz
        )
    loop
        update flowledger.step as s
        set state = r.state, attempt = r.attempt, stream_version = r.version, due_at = r.due_at
        where s.task_id = r.task_id and s.step = r.step;

        if not found then
            insert into flowledger.step (task_id, step, state, attempt, stream_version, due_at)
            values (r.task_id, r.step, r.state, r.attempt, r.version, r.due_at);
        end if;
    end loop;
end
$$;
