-- Times of limits are those that an event may say, the clock was put back by no more than it may be
-- ahead, and whoever takes limits on can reckon with both. Rows that are there already stay:
-- readers pass them over, `verify` names them and `repair` mends them.

alter table flowledger.circuit
    add constraint circuit_times_check check (
        open_until >= '0001-01-01 00:00:00Z' and open_until <= '9999-12-31 23:59:59.999999Z'
        and changed_at >= '0001-01-01 00:00:00Z' and changed_at <= '9999-12-31 23:59:59.999999Z'
    ) not valid;

alter table flowledger.rate
    add constraint rate_times_check check (
        expected_at >= '0001-01-01 00:00:00Z' and expected_at <= '9999-12-31 23:59:59.999999Z'
        and set_at >= '0001-01-01 00:00:00Z' and set_at <= '9999-12-31 23:59:59.999999Z'
    ) not valid;

alter table flowledger.clock_put_back
    add constraint clock_put_back_is_within_a_century check (
        case
            when isfinite(noticed_at) and isfinite(reached)
                then reached - noticed_at <= interval '36525 days'
            else false
        end
    ) not valid;
