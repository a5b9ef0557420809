-- Rows for circuits that have a stream and no row, of systems that registered templates name: who
-- decides without them would begin the stream anew, and be refused for good. What they say is
-- contradicted by the log, so that proved_circuits tells what the log does. Locks: circuits.

create or replace function flowledger.restore_lost_circuits()
returns void
language sql
volatile
as $$
    insert into flowledger.circuit
        (system, revision, state, failures, openings, probes, stream_version)
    select s.system, 1, 'closed', 0, 0, '{}', 0
    from (select distinct t.system from flowledger.template_step as t) as s
    where not exists (select from flowledger.circuit as c where c.system = s.system)
        and exists (
            select from flowledger.event as e
            where e.originator_id = flowledger.circuit_stream(s.system)
        )
    order by s.system
    on conflict do nothing;
$$;
