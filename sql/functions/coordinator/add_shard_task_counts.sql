-- Add to the counts of tasks in the row that a shard has in flowledger.state_count: p_change by the
-- order of flowledger.ordered_task_states, then the paused ones, then the steps of new tasks. The caller
-- leads the shard, or nobody does. Locks: the shard's counts.

create or replace function flowledger.add_shard_task_counts(p_shard integer, p_change bigint[])
returns void
language plpgsql
volatile
as $$
begin
    if 0 = all (p_change) then
        return;
    end if;

    update flowledger.state_count
    set
        tasks_pending = flowledger.bounded_count(tasks_pending) + p_change[1],
        tasks_in_progress = flowledger.bounded_count(tasks_in_progress) + p_change[2],
        tasks_waiting = flowledger.bounded_count(tasks_waiting) + p_change[3],
        tasks_blocked = flowledger.bounded_count(tasks_blocked) + p_change[4],
        tasks_complete = flowledger.bounded_count(tasks_complete) + p_change[5],
        tasks_error = flowledger.bounded_count(tasks_error) + p_change[6],
        tasks_cancelled = flowledger.bounded_count(tasks_cancelled) + p_change[7],
        tasks_resolved_manually = flowledger.bounded_count(tasks_resolved_manually) + p_change[8],
        tasks_paused = flowledger.bounded_count(tasks_paused) + p_change[9],
        steps_of_tasks = flowledger.bounded_count(steps_of_tasks) + p_change[10],
        steps_cancelled = flowledger.bounded_count(steps_cancelled),
        steps_complete = flowledger.bounded_count(steps_complete),
        steps_enqueued = flowledger.bounded_count(steps_enqueued),
        steps_error = flowledger.bounded_count(steps_error),
        steps_in_progress = flowledger.bounded_count(steps_in_progress),
        steps_pending = flowledger.bounded_count(steps_pending),
        steps_resolved_manually = flowledger.bounded_count(steps_resolved_manually),
        steps_skipped = flowledger.bounded_count(steps_skipped),
        steps_waiting_for_retry = flowledger.bounded_count(steps_waiting_for_retry)
    where shard = p_shard;

    if not found then
        insert into flowledger.state_count (shard) values (p_shard) on conflict do nothing;
        perform flowledger.add_shard_task_counts(p_shard, p_change);
    end if;
end
$$;
