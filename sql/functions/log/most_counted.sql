-- Up to where a count is counted on from, where its check lets in p_checked at most: half of it, so
-- that no engine counts from the one to the other, and no check refuses what an engine counted. One
-- expression, so that the planner puts it in the place of a call.

create or replace function flowledger.most_counted(p_checked bigint)
returns bigint
language sql
immutable
as $$
    select p_checked / 2;
$$;
