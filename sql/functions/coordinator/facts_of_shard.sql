-- Events of these topics behind a position that concern one of p_shards shards, in log order. What
-- concerns no task concerns every shard.

create or replace function flowledger.facts_of_shard(
    p_shard integer, p_shards integer, p_after bigint, p_limit integer, p_topics text[]
)
returns table (
    notification_id bigint, originator_id uuid, originator_version bigint, topic text, state bytea,
    task_id uuid, recorded_at timestamptz
)
language sql
stable
as $$
    select
        e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.task_id,
        e.recorded_at
    from flowledger.event as e
    where e.notification_id > p_after
        and e.topic = any (p_topics)
        and (e.task_id is null or flowledger.shard_of(e.task_id, p_shards) = p_shard)
    order by e.notification_id
    limit p_limit;
$$;
