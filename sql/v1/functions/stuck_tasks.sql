-- flowledger.stuck_tasks, for everyone, with the settings of the engine's own connections.

create or replace function flowledger_v1.stuck_tasks(idle interval default '10 minutes')
returns table (
    task_id uuid, namespace text, template text, state text, last_event_at timestamptz, reason text
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
begin
    perform flowledger.require_given('idle', idle is not null);

    return query select * from flowledger.stuck_tasks(idle);
end
$$;

comment on function flowledger_v1.stuck_tasks(interval) is
    'Open tasks in whose log nothing has happened for so long, and for which nothing falls due '
    'later. Tasks that wait for an operator, paused or blocked, are left out. reason is submitted '
    '(no coordinator has met it: does one run?), parked (the coordinator leaves it alone, see '
    'parked_tasks), running '
    '(a worker has a step), queued (nobody takes it), waiting (for a limit), due (a time has passed '
    'and nobody acted on it) or nothing (and so nothing will come of it by itself).
Example: select task_id, reason, last_event_at from flowledger_v1.stuck_tasks(''1 hour'')';
