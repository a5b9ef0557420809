-- Whether the counts of a queue row can be counted on from, well below what the constraint
-- on the table lets in. One expression, so that the planner puts it in the place of a call.

create or replace function flowledger.queue_counts_are_usable(
    p_stream_version bigint, p_attempt integer, p_resets integer
)
returns boolean
language sql
immutable
as $$
    select p_stream_version between 0 and 500000000000
        and p_attempt between 0 and 500000000
        and p_resets between 0 and 500000000;
$$;
