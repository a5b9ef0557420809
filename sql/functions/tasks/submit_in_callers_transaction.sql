-- Leave tasks to the coordinator, in the caller's own transaction: no log lock, no setting changed.
-- Returns, for each in order, the task that has the identity; and where that is the task itself and
-- its id stood for something before, which is left as it is, the first event of that. A racing
-- transaction with the same identity or id is waited for. Locks: identity rows, submissions.
-- drop: function flowledger.submit_in_callers_transaction(text[], uuid[], text[], bytea[], bigint[])

create or replace function flowledger.submit_in_callers_transaction(
    p_identities text[],
    p_tasks uuid[],
    p_topics text[],
    p_states bytea[],
    p_encodings bigint[]
)
returns table (owner uuid, topic text, state bytea)
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
    order by i.n
    on conflict (task_id) do nothing;

    perform pg_notify('flowledger.submission', '');

    return query
    select i.owner, f.topic, f.state
    from unnest(p_tasks, p_states, v_owners) with ordinality as i (task, state, owner, n)
    left join flowledger.first_events_of_ids(p_tasks) as f
        on f.id = i.task and i.owner = i.task and f.state <> i.state
    order by i.n;
end
$$;
