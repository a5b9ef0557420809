-- The rows of these templates and of their steps, each as JSON with the table that it is from. A
-- definition that no reader could take is null there.

create or replace function flowledger.rows_of_templates(p_templates uuid[])
returns table (template_id uuid, relation text, stored text)
language sql
stable
as $$
    select t.template_id, 'template', (
        to_jsonb(t) || jsonb_build_object('definition', flowledger.readable_json(t.definition))
    )::text
    from flowledger.template as t
    where t.template_id = any (p_templates)
    union all
    select s.template_id, 'template_step', to_json(s)::text
    from flowledger.template_step as s
    where s.template_id = any (p_templates);
$$;
