-- Whether the worker shall from now on take only steps that are to run alone: as long as such steps
-- wait, one worker does, so that the others go on. Returns its condition. Locks: the worker's row.

create or replace function flowledger.elect_isolated_worker(p_worker uuid, p_templates uuid[])
returns boolean
language plpgsql
volatile
as $$
declare
    v_isolated boolean;
begin
    v_isolated := exists (
        select from flowledger.queue as q
        where q.worker_id is null and q.exclusive and q.template_id = any (p_templates)
            and exists (select from flowledger.template as t where t.template_id = q.template_id)
    ) and not exists (
        select from flowledger.worker as w
        where w.condition = 'isolated' and w.worker_id <> p_worker
            and w.lease_until > flowledger.clock()
    );

    update flowledger.worker
    set condition = case when v_isolated then 'isolated' else 'ready' end
    where worker_id = p_worker and (condition = 'isolated') <> v_isolated;

    return v_isolated;
end
$$;
