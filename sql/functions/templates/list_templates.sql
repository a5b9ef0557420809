-- Every registered template, by name.

create or replace function flowledger.list_templates()
returns table (namespace text, name text, version text, definition_hash text)
language sql
stable
as $$
    select t.namespace, t.name, t.version, t.definition_hash
    from flowledger.template as t
    order by t.namespace, t.name, t.version;
$$;
