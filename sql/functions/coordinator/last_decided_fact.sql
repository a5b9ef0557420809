-- The last fact of a shard behind a position that is known to be decided on, since the log has a
-- decision that was caused by it, or that stands behind it in its stream. Null: there is none. As
-- facts are decided on in their order, the shard's position can never be before it. p_decisions are
-- the topics of decisions. What was created by the coordinator itself is no fact to it.
--
-- The cause is read from the head of a payload; one that is compressed or has no head tells nothing.

create or replace function flowledger.last_decided_fact(
    p_shard integer, p_shards integer, p_after bigint, p_decisions text[]
)
returns bigint
language sql
stable
as $$
    with decision as materialized (
        select
            e.originator_id, e.originator_version, e.notification_id,
            case
                when e.encoding = 0 and substr(e.state, 1, 1) in ('\x02', '\x04', '\x06')
                    then substr(e.state, 26, 16)
            end as cause
        from flowledger.event as e
        where e.notification_id > p_after
            and e.topic = any (p_decisions)
            and flowledger.shard_of(e.task_id, p_shards) = p_shard
    ),

    fact as materialized (
        select
            e.originator_id, e.originator_version, e.notification_id,
            case
                when e.encoding = 0 and substr(e.state, 1, 1) between '\x01' and '\x06'
                    then substr(e.state, 2, 16)
            end as id
        from flowledger.event as e
        where e.notification_id > p_after
            and e.topic = any (flowledger.fact_topics())
            and e.task_id is not null
            and flowledger.shard_of(e.task_id, p_shards) = p_shard
            and (
                e.topic <> 'task.created'
                or not coalesce(flowledger.payload_json(e.state, e.encoding) ? 'submission', false)
            )
    )

    select max(d.fact)
    from (
        select f.notification_id as fact
        from decision as d
        join fact as f on f.id = d.cause
        where f.notification_id < d.notification_id
        union all
        select f.notification_id
        from decision as d
        join fact as f on f.originator_id = d.originator_id
        where f.originator_version < d.originator_version
            and f.notification_id < d.notification_id
    ) as d;
$$;
