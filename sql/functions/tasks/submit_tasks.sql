-- Append the TaskCreated events of tasks whose identity is free; all in one transaction.
-- Returns, for each in order, the task that has the identity. Raises 23505 where an id is that of
-- something else, be it left to the coordinator, and stores nothing. Lock order: identity rows, log.

create or replace function flowledger.submit_tasks(
    p_identities text[],
    p_tasks uuid[],
    p_topics text[],
    p_states bytea[],
    p_encodings bigint[]
)
returns setof uuid
language plpgsql
volatile
as $$
declare
    v_owners uuid[];
begin
    select array_agg(c.task_id) into v_owners
    from flowledger.claim_identities(p_identities, p_tasks) as c;

    if exists (
        select
        from unnest(p_tasks, v_owners) as i (task, owner)
        join flowledger.submission as s on s.task_id = i.task
        where i.owner = i.task
    ) then
        raise unique_violation using message = 'an id is that of a task that is left to the coordinator';
    end if;

    perform flowledger.append_events(
        array_agg(i.task order by i.n), array_agg(1::bigint), array_agg(i.topic order by i.n),
        array_agg(i.state order by i.n), array_agg(i.task order by i.n),
        array_agg(i.encoding order by i.n)
    )
    from unnest(p_tasks, p_topics, p_states, p_encodings, v_owners)
        with ordinality as i (task, topic, state, encoding, owner, n)
    where i.owner = i.task
    having count(*) > 0;

    return query select unnest(v_owners);
end
$$;
