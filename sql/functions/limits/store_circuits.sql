-- Store circuits, from a JSON array of {system, revision, state, failures, openings, open_until,
-- probes, stream_version, changed_at}. The revision is the one that was decided on, 0 where there
-- was no row; a row whose state is null is only compared. Wakes the coordinators where one changed.
--
-- Raises FL006 where another shard changed one meanwhile. Locks: circuits by system.

create or replace function flowledger.store_circuits(p_rows json)
returns void
language plpgsql
volatile
as $$
declare
    r record;
    v_revision bigint;
    v_changed boolean := false;
begin
    for r in
        select x.*
        from json_to_recordset(p_rows) as x (
            system text, revision bigint, state text, failures integer, openings integer,
            open_until timestamptz, probes json, stream_version bigint, changed_at timestamptz
        )
        order by x.system
    loop
        if r.state is null then
            select greatest(flowledger.bounded_count(c.revision), 0) into v_revision
            from flowledger.circuit as c
            where c.system = r.system;
        else
            insert into flowledger.circuit as c
                (system, revision, state, failures, openings, open_until, probes, stream_version,
                changed_at)
            values (
                r.system, 1, r.state, r.failures, r.openings, r.open_until,
                array(select json_array_elements_text(r.probes)::uuid), r.stream_version,
                r.changed_at
            )
            on conflict (system) do update
            set revision = greatest(flowledger.bounded_count(c.revision), 0) + 1, state = excluded.state, failures = excluded.failures,
                openings = excluded.openings, open_until = excluded.open_until,
                probes = excluded.probes, stream_version = excluded.stream_version,
                changed_at = excluded.changed_at
            returning c.revision - 1 into v_revision;
            v_changed := true;
        end if;

        if coalesce(v_revision, 0) <> r.revision then
            raise exception 'the circuit of % changed', r.system using errcode = 'FL006';
        end if;
    end loop;

    if v_changed then
        perform pg_notify('flowledger.room', '');
    end if;
end
$$;
