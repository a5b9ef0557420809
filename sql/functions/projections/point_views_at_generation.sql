-- Let the views of a projection show the tables of a generation. A view keeps its grants and what
-- depends on it where the columns allow it, and is made anew where they do not. Raises FL008 where
-- something depends on a view that must go. Locks: the views.

create or replace function flowledger.point_views_at_generation(p_name text, p_generation integer)
returns void
language plpgsql
volatile
as $$
declare
    v_schema constant text := p_name || '__' || p_generation;
    v_select text;
    r record;
begin
    for r in
        select coalesce(t.relname, v.relname) as name, t.relname is null as gone
        from (
            select c.relname from pg_class as c
            where c.relnamespace = to_regnamespace(quote_ident(v_schema)) and c.relkind in ('r',
                'p', 'v', 'm')
        ) as t
        full join (
            select c.relname from pg_class as c
            where c.relnamespace = to_regnamespace(quote_ident(p_name)) and c.relkind = 'v'
        ) as v using (relname)
        order by 1
    loop
        v_select := format('select * from %I.%I', v_schema, r.name);

        begin
            if r.gone then
                execute format('drop view %I.%I', p_name, r.name);
            else
                execute format('create or replace view %I.%I as %s', p_name, r.name, v_select);
            end if;
        exception
            when invalid_table_definition then
                execute format('drop view %I.%I', p_name, r.name);
                execute format('create view %I.%I as %s', p_name, r.name, v_select);
        end;
    end loop;

    perform flowledger.grant_read_on_projection_schema(p_name), flowledger.grant_read_on_projection_schema(v_schema);
exception
    when dependent_objects_still_exist then
        raise exception 'the view %.% cannot change: something depends on it (%)',
            p_name, r.name, sqlerrm
            using errcode = 'FL008';
end
$$;
