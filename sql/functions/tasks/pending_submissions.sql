-- Tasks of one of p_shards shards that applications left in transactions of their own, oldest
-- first. Those that are parked are left out, unless they are to be tried again, and those whose id
-- was in the log first, of which flowledger.orphan_rows tells.
-- drop: function flowledger.pending_submissions(integer)

create or replace function flowledger.pending_submissions(
    p_limit integer, p_shard integer default 0, p_shards integer default 1
)
returns table (submission bigint, task_id uuid, topic text, state bytea)
language sql
stable
as $$
    select s.submission, s.task_id, s.topic, s.state
    from flowledger.submission as s
    where (p_shards = 1 or flowledger.shard_of(s.task_id, p_shards) = p_shard)
        and not exists (
            select from flowledger.parked_task as k where k.task_id = s.task_id and not k.wanted
        )
        and not exists (select from flowledger.event as e where e.originator_id = s.task_id)
    order by s.submission
    limit p_limit;
$$;
