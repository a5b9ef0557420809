-- How far a shard may go on from a position without passing over one of its facts: to right before
-- the first of them, or to the end of the log. p_topics are the topics of facts.
--
-- One snapshot sees the log up to some position whole, since positions are in the order of commits.

create or replace function flowledger.position_before_next_fact(
    p_shard integer, p_shards integer, p_after bigint, p_topics text[]
)
returns bigint
language sql
stable
as $$
    select coalesce(
        (
            select f.notification_id - 1
            from flowledger.facts_of_shard(p_shard, p_shards, p_after, 1, p_topics) as f
        ),
        (select max(e.notification_id) from flowledger.event as e
        where e.notification_id > p_after),
        p_after
    );
$$;
