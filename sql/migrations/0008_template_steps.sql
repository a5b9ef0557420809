-- The steps of every registered template as rows, so that SQL can answer what may run next.
--
-- flowledger.store_template_steps fills it, when a template is registered and once for the templates
-- that were registered before. One index only: on a table that was never analyzed a second one could
-- be taken in its place, and a step's row be looked for among all of its template.

create table flowledger.template_step (
    template_id uuid not null,
    number integer not null,
    step text not null,
    level integer not null,
    max_attempts integer not null,
    backoff text not null,
    system text,
    parents integer[] not null,
    children integer[] not null,
    dependencies text[] not null,
    stoppers text[] not null,
    primary key (template_id, number)
);

comment on table flowledger.template_step is
    'The steps of the templates, derived from their definitions.';
comment on column flowledger.template_step.number is 'its place in the definition, from 0';
comment on column flowledger.template_step.level is
    'how many steps the longest way from a step without dependencies to it has before it';
comment on column flowledger.template_step.max_attempts is
    'by its retry policy; with 0 it never runs';
comment on column flowledger.template_step.backoff is 'how its retries are spaced';
comment on column flowledger.template_step.system is 'the outside system that it depends on';
comment on column flowledger.template_step.parents is 'the numbers of its dependencies';
comment on column flowledger.template_step.children is 'the numbers of the steps that depend on it';
comment on column flowledger.template_step.stoppers is
    'those of its dependencies that do not satisfy it when they are skipped';
