-- The shards as an operator wants to see them. `behind` counts the facts that are still to be
-- decided on, `lease_left` the seconds of the lease; p_topics are the topics of facts.

create or replace function flowledger.list_shards(p_topics text[])
returns table (
    shard integer, leader uuid, host text, pid integer, epoch bigint, "position" bigint,
    behind bigint, lease_left double precision
)
language sql
stable
as $$
    select
        s.shard, s.leader, c.host, c.pid, s.epoch, s.position,
        (
            select count(*)
            from flowledger.facts_of_shard(s.shard, s.shards, flowledger.undecided_from(s.shard), null, p_topics)
        ),
        extract(epoch from s.lease_until - flowledger.clock())::float8
    from flowledger.counted_shards() as s
    left join flowledger.coordinator as c on c.coordinator_id = s.leader
    order by s.shard;
$$;
