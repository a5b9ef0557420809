-- Whether a row of a waiting step can be read by who admits it: a demand that has the form of one,
-- and a place among others. As the constraints on the table have it.

create or replace function flowledger.waiting_step_is_readable(
    p_sort_key double precision, p_demand jsonb
)
returns boolean
language sql
immutable
as $$
    select case
        when p_sort_key <= '-infinity' or p_sort_key >= 'infinity' then false
        when jsonb_typeof(p_demand) <> 'object' then false
        else (
            p_demand ->> 'template_id'
            ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
            and jsonb_typeof(p_demand -> 'system') in ('string', 'null')
            and jsonb_typeof(p_demand -> 'slots') = 'array'
            and jsonb_typeof(p_demand -> 'rates') = 'array'
            and not jsonb_path_exists(
                p_demand -> 'slots',
                'strict $[*] ? (!(@.type() == "array" && @.size() == 2'
                ' && @[0].type() == "string" && @[1].type() == "number"'
                ' && @[1] >= 1 && @[1] <= 2147483647))'
            )
            and not jsonb_path_exists(
                p_demand -> 'rates',
                'strict $[*] ? (!(@.type() == "array" && @.size() == 3'
                ' && @[0].type() == "string" && @[1].type() == "number"'
                ' && @[1] >= 1 && @[1] <= 1000000000000000 && @[2].type() == "number"'
                ' && @[2] >= 1 && @[2] <= 2147483647))'
            )
        ) is true
    end;
$$;
