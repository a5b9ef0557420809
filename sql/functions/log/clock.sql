-- The time by which everything is decided: the server's, moved by what a test wrote to
-- clock_offset. Every function that compares times calls this and never now(). All processes see
-- the same.

create or replace function flowledger.clock()
returns timestamptz
language sql
stable
as $$
    select clock_timestamp() + shift from flowledger.clock_offset;
$$;
