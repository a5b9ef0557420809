-- What a role may write: on which tables it has which privileges, and on which columns alone, where
-- it has them not on all. Raises 22023 for a role that there is not.
--
-- Who may update, delete from or truncate a table as a whole may also lock it in any mode, and so
-- stop everybody who reads it. So updates are granted by column, and rows are deleted by functions
-- that run with the owner's rights, but where a role deletes in all that it does: the log's lock,
-- which is to be held, and what a coordinator takes in and hands out.

create or replace function flowledger.role_writes(p_role text)
returns table (relation text, privilege text, columns text[])
language plpgsql
stable
as $$
#variable_conflict use_column
begin
    if p_role not in ('reader', 'auditor', 'submitter', 'operator', 'worker', 'coordinator') then
        raise exception 'there is no role %: expected reader, auditor, submitter, operator, worker or'
            ' coordinator', p_role
            using errcode = '22023';
    end if;

    return query
    select w.relation, p.privilege, w.columns
    from (
        values
        -- Where in the log an event stands, and when it was recorded, the table says.
        ('submitter,operator,worker,coordinator', 'event', 'insert',
            '{originator_id,originator_version,task_id,topic,state,encoding}'::text[]),
        ('submitter,operator,worker,coordinator', 'log_lock', 'delete', null),
        ('submitter,worker,coordinator', 'template', 'insert', null),
        ('submitter,coordinator', 'identity', 'insert', null),
        ('submitter', 'submission', 'insert', null),
        ('operator', 'template', 'update', '{paused}'),
        -- Not the tables of a projection: what stands there is made with the owner's rights.
        ('operator', 'projection', 'update', '{paused,state,position,epoch,leader,moved_at,failures,'
            'failure,failure_traceback,failed_at,failed_position}'),
        ('operator', 'parked_event', 'insert', null),
        ('operator', 'parked_event', 'update', '{requested_action,skipped_at}'),
        ('operator', 'projection_rebuild', 'insert', null),
        ('operator', 'projection_rebuild', 'update', '{state,ended_at}'),
        ('operator', 'parked_task', 'update', '{wanted}'),
        ('worker', 'worker', 'insert', null),
        ('worker', 'worker', 'update', '{lease_until,lease_seconds,seen_at,condition}'),
        ('worker', 'queue', 'update', '{worker_id,stream_version,heartbeat_at,heartbeat_details}'),
        ('coordinator', 'task', 'insert', null),
        ('coordinator', 'task', 'update', '{state,stream_version,paused,ended_at}'),
        ('coordinator', 'step', 'insert', null),
        ('coordinator', 'step', 'update', '{state,attempt,stream_version,due_at}'),
        ('coordinator', 'shard', 'update', '{position,created_from,epoch,leader,'
            'lease_until,lease_seconds}'),
        ('coordinator', 'worker', 'update', '{lease_until}'),
        ('coordinator', 'clock_put_back', 'insert', null),
        ('coordinator', 'clock_put_back', 'update', '{noticed_at,reached}'),
        ('coordinator', 'circuit', 'insert', null),
        ('coordinator', 'circuit', 'update', '{revision,state,failures,openings,open_until,probes,'
            'stream_version,changed_at}'),
        ('coordinator', 'state_count', 'insert', null),
        ('coordinator', 'state_count', 'update', array(
            select a.attname::text
            from pg_attribute as a
            where a.attrelid = 'flowledger.state_count'::regclass and a.attnum > 0
                and not a.attisdropped and a.attname <> 'shard'
            order by a.attnum
        )),
        ('coordinator', 'submission', 'delete', null),
        ('coordinator', 'worker', 'delete', null),
        ('coordinator', 'coordinator', 'insert,update,delete', null),
        ('coordinator', 'parked_task', 'insert,update,delete', null),
        ('coordinator', 'queue', 'insert,update,delete', null),
        ('coordinator', 'queue_lane', 'insert,delete', null),
        ('coordinator', 'rate', 'insert,update,delete', null),
        ('coordinator', 'slot', 'insert,update,delete', null),
        ('coordinator', 'slot_count', 'insert,update,delete', null),
        ('coordinator', 'timer', 'insert,update,delete', null),
        ('coordinator', 'waiting_step', 'insert,update,delete', null)
    ) as w (roles, relation, privileges, columns)
    cross join lateral string_to_table(w.privileges, ',') as p (privilege)
    where p_role = any (string_to_array(w.roles, ','));
end
$$;
