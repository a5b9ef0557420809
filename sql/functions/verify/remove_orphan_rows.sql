-- Remove the rows that nothing in the log stands behind (orphan_rows), but for templates: the row
-- may be all that is left of a definition. Counts the slots of their limits anew. Returns how many
-- there were. For a caller who has locked all shards (make_shard_leaders_reload). Lock order: queue rows,
-- timers, limits.

create or replace function flowledger.remove_orphan_rows()
returns bigint
language plpgsql
volatile
as $$
declare
    v_strays json;
begin
    select json_agg(s) into v_strays
    from flowledger.orphan_rows() as s
    where s.relation <> 'template';

    delete from flowledger.submission as w
    using json_to_recordset(v_strays) as s (relation text, stream uuid)
    where s.relation = 'submission' and w.task_id = s.stream;

    delete from flowledger.parked_task as w
    using json_to_recordset(v_strays) as s (relation text, stream uuid)
    where s.relation = 'parked_task' and w.task_id = s.stream;

    delete from flowledger.template_step as w
    using json_to_recordset(v_strays) as s (relation text, stream uuid)
    where s.relation = 'template_step' and w.template_id = s.stream;

    delete from flowledger.queue as w
    using json_to_recordset(v_strays) as s (relation text, stream uuid)
    where s.relation = 'queue' and w.step_id = s.stream;

    delete from flowledger.timer as w
    using json_to_recordset(v_strays) as s (relation text, stream uuid)
    where s.relation = 'timer' and w.step_id = s.stream;

    delete from flowledger.waiting_step as w
    using json_to_recordset(v_strays) as s (relation text, stream uuid)
    where s.relation = 'waiting_step' and w.step_id = s.stream;

    delete from flowledger.slot as w
    using json_to_recordset(v_strays) as s (relation text, step text, stream uuid)
    where s.relation = 'slot' and w.step_id = s.stream and w.limit_key = s.step;

    perform flowledger.recount_slots(array(
        select s.step
        from json_to_recordset(v_strays) as s (relation text, step text)
        where s.relation = 'slot'
    ));

    return coalesce(json_array_length(v_strays), 0);
end
$$;
