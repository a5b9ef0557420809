-- Events have the names of the field, in the log too. Nothing is released that reads the old ones,
-- and `step.failed` meant an attempt then and means the step now: so this once, before the first
-- release, the log is rewritten, and no reader ever meets both meanings.

do $rename$
declare
    guarded constant boolean := exists (
        select from pg_trigger as t
        where t.tgrelid = 'flowledger.event'::regclass and t.tgname = 'event_is_append_only'
    );
begin
    if guarded then
        alter table flowledger.event disable trigger event_is_append_only;
    end if;

    update flowledger.event as e
    set topic = case e.topic
        when 'step.failed' then 'step.attempt_failed'
        when 'step.errored' then 'step.failed'
        when 'step.handed_back' then 'step.released'
        when 'step.withdrawn' then 'step.dequeued'
        when 'task.continued' then 'task.wait_ended'
    end
    where e.topic in (
        'step.failed', 'step.errored', 'step.handed_back', 'step.withdrawn', 'task.continued'
    );

    update flowledger.event as e
    set state = overlay(
        e.state placing '"waited_for"'::bytea from position('"held_by"'::bytea in e.state) for 9
    )
    where e.topic = 'step.enqueued' and e.encoding = 0
    and position('"held_by"'::bytea in e.state) > 0;

    update flowledger.event as e
    set state = overlay(
        e.state placing '"waited_since"'::bytea
        from position('"held_since"'::bytea in e.state) for 12
    )
    where e.topic = 'step.enqueued' and e.encoding = 0
    and position('"held_since"'::bytea in e.state) > 0;

    if guarded then
        alter table flowledger.event enable trigger event_is_append_only;
    end if;
end
$rename$;
