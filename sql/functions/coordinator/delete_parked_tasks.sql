-- These tasks go on: what the leader of the shard decided about them is stored. Nothing happens
-- where it leads no longer.

create or replace function flowledger.delete_parked_tasks(p_shard integer, p_epoch bigint, p_tasks uuid[])
returns void
language sql
volatile
as $$
    delete from flowledger.parked_task as k
    where k.task_id = any (p_tasks)
        and exists (
            select from flowledger.shard as s where s.shard = p_shard and s.epoch = p_epoch
        );
$$;
