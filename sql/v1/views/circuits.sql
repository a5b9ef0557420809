-- The circuits of outside systems.

create or replace view flowledger_v1.circuits as
select
    c.system, c.state, c.failures, c.openings,
    flowledger.readable_time(c.open_until) as open_until, cardinality(c.probes) as probes
from flowledger.circuit as c;

comment on view flowledger_v1.circuits is
    'The circuits of outside systems that have failed.
Example: select system, open_until from flowledger_v1.circuits where state = ''open''';
comment on column flowledger_v1.circuits.system is 'The name by which templates know the system.';
comment on column flowledger_v1.circuits.state is
    'closed: it works; open: none of its steps is queued; half_open: a few are, to see.';
comment on column flowledger_v1.circuits.failures is 'Failures in a row, while it is closed.';
comment on column flowledger_v1.circuits.openings is 'How often it was opened since it was last closed.';
comment on column flowledger_v1.circuits.open_until is 'When it is tried again.';
comment on column flowledger_v1.circuits.probes is 'How many steps are trying it now.';
