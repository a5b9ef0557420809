-- Shards that need somebody: nobody leads them, or the first event of theirs that is not decided on
-- was recorded more than p_patience seconds ago although somebody does. A lease that ended less than
-- twice its length ago is left out: another coordinator may be about to take it, or the leader to
-- renew it. `since` is when the lease ended (null where there never was one), or when that event was
-- recorded. behind counts up to 1000.

create or replace function flowledger.unled_or_stuck_shards(p_patience double precision,
p_topics text[])
returns table (
    shard integer, led boolean, host text, pid integer, since timestamptz, behind bigint,
    waiting_since timestamptz
)
language sql
stable
as $$
    with placed as (
        select
            s.shard, s.leader,
            flowledger.shard_is_led(s.leader, s.lease_until, s.lease_seconds) as led,
            coalesce(
                s.lease_until between
                flowledger.seconds_ago(2 * flowledger.bounded_lease_seconds(s.lease_seconds))
                and flowledger.clock(),
                false
            ) as just_ended,
            case
                when isfinite(s.lease_until) then least(s.lease_until, flowledger.clock())
            end as lease_until,
            f.behind, f.waiting_since
        from flowledger.counted_shards() as s
        cross join lateral (
            select count(*) as behind, min(e.recorded_at) as waiting_since
            from flowledger.facts_of_shard(s.shard, s.shards, flowledger.undecided_from(s.shard), 1000, p_topics) as e
        ) as f
    )

    select
        p.shard, p.led, c.host, c.pid,
        case when p.led then p.waiting_since else p.lease_until end,
        p.behind, p.waiting_since
    from placed as p
    left join flowledger.coordinator as c on c.coordinator_id = p.leader
    where not p.led and not p.just_ended or p.led and p.waiting_since < flowledger.seconds_ago(p_patience)
    order by p.shard;
$$;
