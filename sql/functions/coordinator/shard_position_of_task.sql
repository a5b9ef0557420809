-- How far the coordinator of the task's shard has come with it: every fact about the task up to this
-- position has been decided on.

create or replace function flowledger.shard_position_of_task(p_task uuid)
returns bigint
language sql
stable
as $$
    select coalesce(
        max(
            case
                when s.created_from < s.position and exists (
                    select from flowledger.event as e
                    where e.originator_id = p_task and e.originator_version = 1
                        and e.notification_id > s.created_from
                        and not exists (
                            select from flowledger.task as t where t.task_id = p_task
                        )
                )
                    then s.created_from
                else s.position
            end
        ),
        0
    )
    from flowledger.shard as s
    where s.shard = flowledger.shard_of(p_task, s.shards);
$$;
