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
        tasks_pending = tasks_pending + p_change[1],
        tasks_in_progress = tasks_in_progress + p_change[2],
        tasks_waiting = tasks_waiting + p_change[3],
        tasks_blocked = tasks_blocked + p_change[4],
        tasks_complete = tasks_complete + p_change[5],
        tasks_error = tasks_error + p_change[6],
        tasks_cancelled = tasks_cancelled + p_change[7],
        tasks_resolved_manually = tasks_resolved_manually + p_change[8],
        tasks_paused = tasks_paused + p_change[9],
        steps_of_tasks = steps_of_tasks + p_change[10]
    where shard = p_shard;

    if not found then
        insert into flowledger.state_count (shard) values (p_shard) on conflict do nothing;
        perform flowledger.add_shard_task_counts(p_shard, p_change);
    end if;
end
$$;
