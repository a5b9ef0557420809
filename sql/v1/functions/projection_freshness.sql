-- flowledger.projection_freshness, for everyone.
-- drop: function flowledger_v1.projection_freshness(text)

create or replace function flowledger_v1.projection_freshness(projection text)
returns table ("position" bigint, at timestamptz, paused boolean)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform flowledger.require_not_null('projection', projection is not null);

    return query select a.position, a.at, a.paused from flowledger.projection_freshness(projection) as a;

    if not found then
        raise exception 'there is no projection % that serves', quote_literal(projection)
            using errcode = 'P0002';
    end if;
end
$$;

comment on function flowledger_v1.projection_freshness(text) is
    'How old the answers are that are read from a projection: everything up to this position of the '
    'log is in its rows, and nothing that was recorded later than at. Nulls where it has read nothing '
    'yet. While it is paused nothing comes to its rows. Every function and view that is read from a '
    'projection names it, in each of its rows; ask here where there is no row.
Example: select position, at, paused from flowledger_v1.projection_freshness(''flowledger_audit'')';
