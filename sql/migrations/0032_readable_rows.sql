-- What a role may write into a row is what the loops and commands can read: counts that can be
-- counted on from, JSON that every codec takes, and demands that are demands. Rows that are there
-- already stay: readers pass them over, `verify` names them and `repair` mends them.

alter table flowledger.queue
    add constraint queue_counts_check check (
        stream_version >= 0 and stream_version <= 1000000000000
        and attempt >= 0 and attempt <= 1000000000
        and resets >= 0 and resets <= 1000000000
    ) not valid,
    add constraint queue_heartbeat_details_check check (
        heartbeat_details is null
        or not jsonb_path_exists(heartbeat_details, 'strict $.**{201}')
        and not jsonb_path_exists(
            heartbeat_details,
            'strict $.**{0 to 200} ? (@.type() == "number"'
            ' && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))'
        )
    ) not valid;

alter table flowledger.task
    add constraint task_stream_version_check check (
        stream_version >= 0 and stream_version <= 1000000000000
    ) not valid;

alter table flowledger.step
    add constraint step_counts_check check (
        stream_version >= 0 and stream_version <= 1000000000000 and attempt >= 0 and attempt <= 1000000000
    ) not valid;

alter table flowledger.shard
    add constraint shard_epoch_check check (epoch >= 0 and epoch <= 1000000000000) not valid;

alter table flowledger.slot_count
    add constraint slot_count_most_check check (in_use <= 1000000000) not valid;

alter table flowledger.state_count
    add constraint state_count_counts_check check (
        greatest(
            steps_cancelled, steps_complete, steps_enqueued, steps_error, steps_in_progress,
            steps_of_tasks, steps_pending, steps_resolved_manually, steps_skipped,
            steps_waiting_for_retry, tasks_blocked, tasks_cancelled, tasks_complete, tasks_error,
            tasks_in_progress, tasks_paused, tasks_pending, tasks_resolved_manually, tasks_waiting
        ) <= 1000000000000
        and least(
            steps_cancelled, steps_complete, steps_enqueued, steps_error, steps_in_progress,
            steps_of_tasks, steps_pending, steps_resolved_manually, steps_skipped,
            steps_waiting_for_retry, tasks_blocked, tasks_cancelled, tasks_complete, tasks_error,
            tasks_in_progress, tasks_paused, tasks_pending, tasks_resolved_manually, tasks_waiting
        ) >= -1000000000000
    ) not valid;

alter table flowledger.circuit
    add constraint circuit_counts_check check (
        revision >= 0 and revision <= 1000000000000
        and stream_version >= 0 and stream_version <= 1000000000000
        and failures >= 0 and failures <= 1000000000
        and openings >= 0 and openings <= 1000000000
    ) not valid,
    add constraint circuit_probes_check check (
        case
            when coalesce(array_ndims(probes), 1) = 1 then array_position(probes, null) is null
            else false
        end
    ) not valid;

alter table flowledger.waiting_step
    add constraint waiting_step_sort_key_check check (
        sort_key > '-infinity' and sort_key < 'infinity'
    ) not valid,
    add constraint waiting_step_demand_check check (
        case
            when jsonb_typeof(demand) <> 'object' then false
            else (
                demand ->> 'template_id'
                ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
                and jsonb_typeof(demand -> 'system') in ('string', 'null')
                and jsonb_typeof(demand -> 'slots') = 'array'
                and jsonb_typeof(demand -> 'rates') = 'array'
                and not jsonb_path_exists(
                    demand -> 'slots',
                    'strict $[*] ? (!(@.type() == "array" && @.size() == 2'
                    ' && @[0].type() == "string" && @[1].type() == "number"'
                    ' && @[1] >= 1 && @[1] <= 2147483647))'
                )
                and not jsonb_path_exists(
                    demand -> 'rates',
                    'strict $[*] ? (!(@.type() == "array" && @.size() == 3'
                    ' && @[0].type() == "string" && @[1].type() == "number"'
                    ' && @[1] >= 1 && @[1] <= 1000000000000000 && @[2].type() == "number"'
                    ' && @[2] >= 1 && @[2] <= 2147483647))'
                )
            ) is true
        end
    ) not valid;

alter table flowledger.template
    add constraint template_definition_check check (
        not jsonb_path_exists(definition, 'strict $.**{255}')
        and not jsonb_path_exists(
            definition,
            'strict $.**{0 to 254} ? (@.type() == "number"'
            ' && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))'
        )
    ) not valid;

alter table flowledger.event
    add constraint event_version_check check (
        originator_version >= 0 and originator_version <= 1000000000000
    ) not valid;
