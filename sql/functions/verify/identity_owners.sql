-- The tasks that have these identities; identities that nobody has are left out.

create or replace function flowledger.identity_owners(p_identities text[])
returns table (identity text, task_id uuid)
language sql
stable
as $$
    select i.identity, i.task_id
    from flowledger.identity as i
    where i.identity = any (p_identities);
$$;
