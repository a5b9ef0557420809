-- Every circuit, as a JSON array of rows; null where there is none.

create or replace function flowledger.circuits()
returns json
language sql
stable
as $$
    select json_agg(c order by c.system) from flowledger.circuit as c;
$$;
