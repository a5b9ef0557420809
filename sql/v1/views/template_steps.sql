-- The steps of every registered template.

create or replace view flowledger_v1.template_steps as
select
    t.template_id, t.namespace, t.name, t.version, s.number, s.step, s.level, s.dependencies,
    s.max_attempts, s.backoff, s.system
from flowledger.template as t
inner join flowledger.template_step as s on s.template_id = t.template_id;

comment on view flowledger_v1.template_steps is
    'The steps of every registered template.
Example: select step, dependencies from flowledger_v1.template_steps where name = ''process_order'' order by level';
comment on column flowledger_v1.template_steps.template_id is 'See templates.';
comment on column flowledger_v1.template_steps.namespace is 'The namespace of the template.';
comment on column flowledger_v1.template_steps.name is 'The name of the template.';
comment on column flowledger_v1.template_steps.version is 'The version of the template.';
comment on column flowledger_v1.template_steps.number is 'Its place in the definition, from 0.';
comment on column flowledger_v1.template_steps.step is 'The name of the step.';
comment on column flowledger_v1.template_steps.level is
    'How many steps the longest way to it has before it: 0 where it depends on none.';
comment on column flowledger_v1.template_steps.dependencies is
    'The names of the steps that it depends on.';
comment on column flowledger_v1.template_steps.max_attempts is 'How often it may be started.';
comment on column flowledger_v1.template_steps.backoff is
    'How its retries are spaced: none, fixed, exponential, fibonacci and so on.';
comment on column flowledger_v1.template_steps.system is 'The outside system that it depends on.';
