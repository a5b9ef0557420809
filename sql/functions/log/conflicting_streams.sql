-- Which of the streams in a batch do not stand where the batch believes: someone else appended
-- first, or what the batch builds on was never stored, or is missing in the batch itself.
-- The caller holds the log lock.
--
-- A stream whose events are in the log already, byte for byte, is not refused: it is the same batch
-- again, after a commit whose answer was lost.

create or replace function flowledger.conflicting_streams(
    p_streams uuid[],
    p_versions bigint[],
    p_states bytea[]
)
returns table (stream uuid, already_stored boolean)
language sql
stable
as $$
    with batch as materialized (
        select i.stream, i.version, i.state
        from unnest(p_streams, p_versions, p_states) as i (stream, version, state)
    ),

    moved as (
        select first.stream
        from (
            select b.stream, min(b.version) as version, max(b.version) as last, count(*) as events
            from batch as b
            group by b.stream
        ) as first
        where first.last - first.version + 1 <> first.events or first.version - 1 <> coalesce(
            (
                select e.originator_version
                from flowledger.event as e
                where e.originator_id = first.stream
                order by e.originator_version desc
                limit 1
            ),
            0
        )
    )

    select moved.stream, bool_and(e.state is not null and e.state = b.state)
    from moved
    join batch as b on b.stream = moved.stream
    left join flowledger.event as e
        on e.originator_id = b.stream and e.originator_version = b.version
    group by moved.stream;
$$;
