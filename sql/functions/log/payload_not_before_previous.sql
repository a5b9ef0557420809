-- The payload of an event that is to be at this version of a stream. Where by its head it happened
-- before the event that it follows there, it gets that one's time: another process, whose clock is
-- a little ahead, was first. See payload_json.

create or replace function flowledger.payload_not_before_previous(
    p_stream uuid, p_version bigint, p_state bytea, p_encoding bigint
)
returns bytea
language sql
stable
as $$
    select case
        when l.time > flowledger.payload_occurred_at(p_state, p_encoding)
            then overlay(p_state placing int8send(l.time) from 18 for 8)
        else p_state
    end
    from (
        select (
            select flowledger.payload_occurred_at(e.state, e.encoding)
            from flowledger.event as e
            where e.originator_id = p_stream and e.originator_version = p_version - 1
        ) as time
    ) as l;
$$;
