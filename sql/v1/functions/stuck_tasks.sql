-- Open tasks in whose log nothing has happened for so long, and for which no timer is set: no
-- retry, start or timeout falls due later. Tasks that wait for an operator, paused or blocked, are
-- left out.
--
-- reason is what there is of the task, the first of: parked (the coordinator leaves it alone, see
-- flowledger_v1.parked_tasks), pending (others of its template begin before it), running (a worker has a step), queued (nobody takes it), waiting
-- (for a limit), due (a time has passed and nobody acted on it), nothing (and so nothing will come
-- of it by itself). Before them come tasks that no coordinator has met, which are
-- submitted.
--
-- Costs a look at the log for each open task that is older than that and waits for no time.
--
-- For everyone, with the settings of the engine's own connections.

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
#variable_conflict use_column
declare
    v_now constant timestamptz := flowledger.clock();
    v_before constant timestamptz := flowledger.time_ago(stuck_tasks.idle);
begin
    perform flowledger.require_not_null('idle', stuck_tasks.idle is not null);
    perform flowledger.require_not_negative('idle', stuck_tasks.idle::text, stuck_tasks.idle < '0');

    return query
    select t.task_id, t.namespace, t.template, t.state, e.at, w.reason
    from flowledger.task as t
    cross join lateral (
        select
            coalesce(bool_or(m.due_at > v_now and m.kind <> 'deadline'), false) as later,
            coalesce(bool_or(m.due_at <= v_now), false) as due
        from flowledger.timer as m
        where m.task_id = t.task_id
        and (
            m.step_id = t.task_id
            or m.step_id
                between flowledger.step_id_lower_bound(t.task_id)
                and flowledger.step_id_upper_bound(t.task_id)
        )
    ) as m
    cross join lateral (
        select max(l.recorded_at) as at
        from flowledger.event as l
        where l.task_id = t.task_id
        and (
            l.originator_id = t.task_id
            or l.originator_id
                between flowledger.step_id_lower_bound(t.task_id)
                and flowledger.step_id_upper_bound(t.task_id)
        )
    ) as e
    cross join lateral (
        select bool_or(q.worker_id is not null) as running
        from flowledger.queue as q
        where q.step_id
            between flowledger.step_id_lower_bound(t.task_id)
                and flowledger.step_id_upper_bound(t.task_id)
        and q.task_id = t.task_id
    ) as q
    cross join lateral (
        select case
            when exists (select from flowledger.parked_task as k where k.task_id = t.task_id)
                then 'parked'
            when t.state = 'pending' then 'pending'
            when q.running then 'running'
            when q.running is not null then 'queued'
            when exists (select from flowledger.waiting_step as h
            where h.task_id = t.task_id) then 'waiting'
            when m.due then 'due'
            else 'nothing'
        end as reason
    ) as w
    where t.ended_at is null and not t.paused and t.state <> 'blocked'
    and t.created_at < v_before
    and (w.reason = 'parked' or not m.later)
    and coalesce(e.at, t.created_at) < v_before
    union all
    select u.task_id, u.namespace, u.template, u.state, u.created_at, 'submitted'
    from flowledger_v1.tasks as u
    where u.state = 'submitted'
    and (u.created_at is null or u.created_at < v_before)
    order by 1;
end
$$;

comment on function flowledger_v1.stuck_tasks(interval) is
    'Open tasks in whose log nothing has happened for so long, and for which nothing falls due '
    'later. Tasks that wait for an operator, paused or blocked, are left out. reason is submitted '
    '(no coordinator has met it: does one run?), parked (the coordinator leaves it alone, see '
    'parked_tasks), pending (others of its template begin before it), running '
    '(a worker has a step), queued (nobody takes it), waiting (for a limit), due (a time has passed '
    'and nobody acted on it) or nothing (and so nothing will come of it by itself).
Example: select task_id, reason, last_event_at from flowledger_v1.stuck_tasks(''1 hour'')';
