-- Leave tasks to the coordinator, in the caller's own transaction: no log lock, no setting changed.
-- Returns, for each in order, the task that has the identity; one that is stored is left. Locks:
-- identity rows.

create or replace function flowledger.submit_in_callers_transaction(
    p_identities text[],
    p_tasks uuid[],
    p_topics text[],
    p_states bytea[],
    p_encodings bigint[]
)
returns setof uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_owners uuid[];
begin
    select array_agg(c.task_id) into v_owners
    from flowledger.claim_identities(p_identities, p_tasks) as c;

    insert into flowledger.submission (task_id, encoding, topic, state)
    select i.task, i.encoding, i.topic, i.state
    from unnest(p_tasks, p_topics, p_states, p_encodings, v_owners)
        with ordinality as i (task, topic, state, encoding, owner, n)
    where i.owner = i.task and not flowledger.task_exists(i.task)
    order by i.n;

    perform pg_notify('flowledger.submission', '');

    return query select unnest(v_owners);
end
$$;
