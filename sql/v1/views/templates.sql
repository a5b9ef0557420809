-- Every registered template.

create or replace view flowledger_v1.templates as
select
    t.template_id, t.namespace, t.name, t.version, t.definition_hash, t.paused, t.steps,
    flowledger.readable_time(t.registered_at) as registered_at,
    flowledger.readable_json(t.definition) as definition
from flowledger.template as t;

comment on view flowledger_v1.templates is
    'Every registered template.
Example: select namespace, name, version, steps from flowledger_v1.templates order by 1, 2, 3';
comment on column flowledger_v1.templates.template_id is
    'Derived from namespace, name and version: the same in every database.';
comment on column flowledger_v1.templates.namespace is 'The namespace.';
comment on column flowledger_v1.templates.name is 'The name.';
comment on column flowledger_v1.templates.version is 'The version.';
comment on column flowledger_v1.templates.definition_hash is
    'The algorithm, and the digest of the definition in its one spelling.';
comment on column flowledger_v1.templates.paused is
    'Whether no step of its tasks is queued until it is resumed.';
comment on column flowledger_v1.templates.steps is 'How many steps it has.';
comment on column flowledger_v1.templates.registered_at is 'When it became known here.';
comment on column flowledger_v1.templates.definition is 'All that makes it differ from others.';
