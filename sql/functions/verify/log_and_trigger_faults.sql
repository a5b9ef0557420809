-- What is wrong with the log as a whole, and with what guards it: the trigger that keeps it
-- append-only, a clock that was moved, as tests do, or lost its offset, events that were recorded
-- before the one in front of them, ranges of events that are yet to be, and events whose payload is
-- said to be encoded and is not, or the other way round; of each kind at most p_limit. Reads the
-- whole log.

create or replace function flowledger.log_and_trigger_faults(p_limit integer)
returns table (subject text, field text, expected text, found text, place text)
language sql
stable
as $$
    select 'the log', 'trigger event_is_append_only', 'as it was made',
        'disabled, dropped or another',
        'flowledger.event'
    where not exists (
        select
        from pg_trigger as t
        join pg_proc as f on f.oid = t.tgfoid
        where t.tgrelid = 'flowledger.event'::regclass
            and t.tgname = 'event_is_append_only'
            and t.tgenabled in ('O', 'A')
            and t.tgfoid = 'flowledger.refuse_log_change()'::regprocedure
            -- for each statement: before delete, update, truncate
            and t.tgtype = 2 + 8 + 16 + 32
            and t.tgqual is null
            and f.prosrc ~ '^\s*begin\s+raise exception'
    )
    union all
    select 'the clock', 'shift', '00:00:00', o.shift::text, 'flowledger.clock_offset'
    from flowledger.clock_offset as o
    where o.shift <> '0'
    union all
    select 'the clock', 'row', 'a row', 'none', 'flowledger.clock_offset'
    where not exists (select from flowledger.clock_offset)
    union all
    (
        select
            format('position %s', d.notification_id), 'recorded_at', format('not before %s',
            d.before),
            d.recorded_at::text, 'flowledger.event'
        from (
            select
                e.notification_id, e.recorded_at,
                lag(e.recorded_at) over (order by e.notification_id) as before
            from flowledger.event as e
        ) as d
        where d.recorded_at < d.before
        order by d.notification_id
        limit p_limit
    )
    union all
    (
        select
            case
                when min(e.position) = max(e.position) then format('position %s', min(e.position))
                else format('positions %s to %s', min(e.position), max(e.position))
            end,
            'recorded_at', 'past', format('in the future, up to %s', max(e.recorded_at)),
            'flowledger.event'
        from (
            select
                a.notification_id as position, a.recorded_at, a.ahead,
                count(*) filter (where not a.ahead) over (order by a.notification_id) as behind
            from (
                select
                    l.notification_id, l.recorded_at,
                    l.recorded_at > statement_timestamp() + interval '1 minute' as ahead
                from flowledger.event as l
            ) as a
        ) as e
        where e.ahead
        group by e.behind
        order by min(e.position)
        limit p_limit
    )
    union all
    (
        select
            format('position %s', e.notification_id), 'encoding', 'that of its payload',
            e.encoding::text, 'flowledger.event'
        from flowledger.event as e
        where e.encoding not in (0, 1)
            -- a payload in plain begins with its head, or is a JSON object
            or e.encoding = 0 and substr(e.state, 1, 1) <> '\x7b'
            and substr(e.state, 1, 1) not between '\x01' and '\x06'
            or e.encoding = 1 and flowledger.payload_json(e.state, 0::smallint) is not null
        order by e.notification_id
        limit p_limit
    );
$$;
