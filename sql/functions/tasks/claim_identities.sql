-- Claim identities for tasks; an identity that is taken answers with the task that has it.
-- A racing transaction with the same identity is waited for. Null identities are always free.
-- Returns one row a claim, in order. Locks: identity rows, in order of identity.

create or replace function flowledger.claim_identities(p_identities text[], p_tasks uuid[])
returns table (task_id uuid)
language plpgsql
volatile
as $$
begin
    insert into flowledger.identity (identity, task_id)
    select i.identity, i.task
    from unnest(p_identities, p_tasks) with ordinality as i (identity, task, n)
    where i.identity is not null
    order by i.identity, i.n
    on conflict (identity) do nothing;

    return query
    select coalesce(o.task_id, i.task)
    from unnest(p_identities, p_tasks) with ordinality as i (identity, task, n)
    left join flowledger.identity as o on o.identity = i.identity
    order by i.n;
end
$$;
