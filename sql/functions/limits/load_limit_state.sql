-- What the coordinator of a shard must know of limits when it begins: of the whole engine, but for
-- the steps that wait, which are those of the shard's tasks, in their order; rows of these that
-- cannot be read are left out, as they would stop all others. Forgets rates that
-- hold nobody back any more, moves those back that a clock that was ahead has set, and makes rows of
-- circuits that are gone.

create or replace function flowledger.load_limit_state(p_shard integer, p_shards integer)
returns json
language plpgsql
volatile
as $$
begin
    perform flowledger.correct_rates_after_clock_set_back();
    perform flowledger.forget_rates();
    perform flowledger.restore_lost_circuits();

    return json_build_object(
        'in_use', (select json_object_agg(k.limit_key, k.in_use) from flowledger.slot_count as k),
        'holders', (
            select json_object_agg(s.step_id, s.keys)
            from (
                select h.step_id, json_agg(h.limit_key) as keys
                from flowledger.slot as h
                group by h.step_id
            ) as s
        ),
        'expected', (select json_object_agg(t.limit_key, t.expected_at) from flowledger.rate as t),
        'circuits', flowledger.proved_circuits(),
        'paused', (select json_agg(t.template_id) from flowledger.template as t where t.paused),
        'waiters', (
            select json_agg(w order by w.sort_key, w.since)
            from flowledger.waiting_step as w
            where flowledger.shard_of(w.task_id, p_shards) = p_shard
                and flowledger.waiting_step_is_readable(w.sort_key, w.demand)
        )
    );
end
$$;
