-- What a role may write: privileges as a grant names them. Raises 22023 for a role that there is
-- not.
--
-- Who may update, delete from or truncate a table as a whole may also lock it in any mode, and so
-- stop everybody who reads it. So updates are granted by column, and rows are deleted by functions
-- that run with the owner's rights, but where a role deletes in all that it does: the log's lock,
-- which is to be held, and what a coordinator takes in and hands out.

create or replace function flowledger.role_writes(p_role text)
returns setof text
language plpgsql
stable
as $$
declare
    -- Where in the log an event stands, and when it was recorded, the table says.
    v_append constant text[] := array[
        'insert (originator_id, originator_version, task_id, topic, state, encoding)'
        ' on flowledger.event',
        'delete on flowledger.log_lock'
    ];
    v_register constant text := 'insert on flowledger.template';
begin
    return query select unnest(v_append)
    where p_role in ('submitter', 'operator', 'worker', 'coordinator');

    return query select v_register where p_role in ('submitter', 'worker', 'coordinator');

    case p_role
        when 'reader', 'auditor' then
            return;
        when 'submitter' then
            return query values
            ('insert on flowledger.identity'),
            ('insert on flowledger.submission');
        when 'operator' then
            return query values
            ('update (paused) on flowledger.template'),
            -- Not the tables of a projection: what stands there is made with the owner's rights.
            ('update (paused, state, position, epoch, leader, moved_at, failures, failure,'
            ' failure_traceback, failed_at, failed_position) on flowledger.projection'),
            ('insert, update (requested_action, skipped_at) on flowledger.parked_event'),
            ('insert, update (state, ended_at) on flowledger.projection_rebuild');
        when 'worker' then
            return query values
            ('insert, update (lease_until, seen_at, condition) on flowledger.worker'),
            ('update (worker_id, stream_version, heartbeat_at, heartbeat_details)'
            ' on flowledger.queue');
        when 'coordinator' then
            return query values
            ('insert on flowledger.identity'),
            ('insert, update (state, stream_version, paused, ended_at) on flowledger.task'),
            ('insert, update (state, attempt, stream_version, due_at) on flowledger.step'),
            ('update (position, epoch, leader, lease_until) on flowledger.shard'),
            ('insert, update (revision, state, failures, openings, open_until, probes,'
            ' stream_version, changed_at) on flowledger.circuit'),
            ('delete on flowledger.submission'),
            ('delete on flowledger.worker');

            return query
            select format('insert, update (%s) on flowledger.state_count',
                string_agg(quote_ident(a.attname), ', ' order by a.attnum))
            from pg_attribute as a
            where a.attrelid = 'flowledger.state_count'::regclass and a.attnum > 1
                and not a.attisdropped;

            return query
            select format('insert, update, delete on flowledger.%s', t)
            from unnest('{coordinator,parked_task,queue,rate,slot,slot_count,timer,waiting_step}'
                ::text[]) as t;
        else
            raise exception 'there is no role %: expected reader, auditor, submitter, operator,'
                ' worker or coordinator', p_role
                using errcode = '22023';
    end case;
end
$$;
