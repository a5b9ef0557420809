-- Whether a template has its row, without which no worker takes steps of it.

create or replace function flowledger.template_is_registered(p_template uuid)
returns boolean
language sql
stable
as $$
    select exists (select from flowledger.template as t where t.template_id = p_template);
$$;
