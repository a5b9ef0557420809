-- The engine's time, and when the next timer falls due (null: none is set).

create or replace function flowledger.next_due()
returns table (now timestamptz, due_at timestamptz)
language sql
stable
as $$
    select flowledger.clock(), (select min(t.due_at) from flowledger.timer as t);
$$;
