-- Every circuit as circuits() has it, for whoever decides by it: version, state and time are those
-- of the last event of its stream, since what follows is written behind that one. Of a row that says
-- another version or state nothing else is taken, and the circuit is tried at once; a probe of which
-- the log knows nothing is none. A time that is sealed in its event is the row's, but not later than
-- the event was recorded. One look into the log for each circuit and each probe.

create or replace function flowledger.proved_circuits()
returns json
language sql
stable
as $$
    select json_agg(
        json_build_object(
            'system', r.system,
            'revision', r.revision,
            'state', p.state,
            'failures', case when p.agrees then r.failures else 0 end,
            'openings', case
                when p.agrees then r.openings
                when p.state = 'closed' then 0
                else 1
            end,
            'open_until', case when p.agrees then r.open_until end,
            'probes', array(
                select s.step
                from unnest(case when p.agrees then r.probes end) as s (step)
                where exists (select from flowledger.event as e where e.originator_id = s.step)
            ),
            'stream_version', p.version,
            'changed_at', p.changed_at
        )
        order by r.system
    )
    from json_to_recordset(flowledger.circuits()) as r (
        system text, revision bigint, state text, failures integer, openings integer,
        open_until timestamptz, probes uuid[], stream_version bigint, changed_at timestamptz
    )
    left join lateral (
        select
            e.originator_version as version, e.topic,
            coalesce(
                flowledger.time_from_microseconds(
                    flowledger.payload_occurred_at(e.state, e.encoding)
                ),
                least(r.changed_at, e.recorded_at + (flowledger.clock() - clock_timestamp()))
            ) as changed_at
        from flowledger.event as e
        where e.originator_id = flowledger.circuit_stream(r.system)
        order by e.originator_version desc
        limit 1
    ) as l on true
    cross join lateral (
        select
            s.state, s.version, l.changed_at,
            r.state = s.state and r.stream_version = s.version as agrees
        from (
            select
                case l.topic
                    when 'circuit.opened' then 'open'
                    when 'circuit.half_opened' then 'half_open'
                    else 'closed'
                end as state,
                coalesce(l.version, 0) as version
        ) as s
    ) as p;
$$;
