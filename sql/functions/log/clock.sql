-- The time by which everything is decided: the server's, moved by what a test wrote to
-- clock_offset. Every function that compares times calls this and never now(). All processes see
-- the same. Where the row is gone, nothing is moved.

create or replace function flowledger.clock()
returns timestamptz
language sql
stable
as $$
    select clock_timestamp() + coalesce((select o.shift from flowledger.clock_offset as o), '0');
$$;
