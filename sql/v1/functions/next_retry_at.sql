-- When a step is tried again; null where it does not wait for a retry. The time may be past: a
-- pause or a limit holds the step then, or the coordinator has not come to it yet.
--
-- For everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.next_retry_at(task uuid, step_name text)
returns timestamptz
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform flowledger.require_known_steps(next_retry_at.task, next_retry_at.step_name);

    return (
        select flowledger.readable_time(s.due_at)
        from flowledger.step as s
        where s.task_id = next_retry_at.task
            and s.step = next_retry_at.step_name
            and s.state = 'waiting_for_retry'
    );
end
$$;

comment on function flowledger_v1.next_retry_at(uuid, text) is
    'When a step is tried again; null where it does not wait for a retry. The time may be past: a '
    'pause or a limit holds the step then, or the coordinator has not come to it yet.
Example: select flowledger_v1.next_retry_at(''01890a5d-ac96-774b-bcce-b302099a8057'', ''charge'')';
