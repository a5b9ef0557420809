-- A worker that has the code of a template and is kept from it says so, for people who ask why
-- nobody takes a step.

alter table flowledger.worker add column excluded_templates uuid[];

comment on column flowledger.worker.excluded_templates is
    'whose code it has, and whose steps it leaves alone, as its worker.namespaces does not name them';
