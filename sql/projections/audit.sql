-- version: 2
-- Who did what to which task, template or part of the engine, and why.

create table {schema}.operator_action (
    "position" bigint primary key,
    at timestamptz not null,
    task_id uuid,
    namespace text,
    template text,
    version text,
    step text,
    action text not null,
    actor text not null,
    reason text,
    request uuid,
    answer text,
    answered_at timestamptz,
    refusal text,
    subject text
);

comment on column {schema}.operator_action.answer is
    'granted or refused; null where there is no answer yet, or none is needed';

create unique index operator_action_request on {schema}.operator_action (request);
create index operator_action_task on {schema}.operator_action (task_id, "position");
create index operator_action_at on {schema}.operator_action (at);
create index operator_action_actor on {schema}.operator_action (actor, at);

create table {schema}.known_template (
    template_id uuid primary key,
    namespace text not null,
    template text not null,
    version text not null
);
