-- The position up to which a projection's rows are complete; null: there is none of the name.

create or replace function flowledger.projection_position(p_name text, p_topics text[])
returns bigint
language sql
stable
as $$
    select case
        when p_name = 'step_readiness' then flowledger.inline_model_position(p_topics)
        else flowledger.serving_position(p_name)
    end;
$$;
