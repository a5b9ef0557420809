-- Mark this transaction as a batch of a generation, for end_batches to find it. Never waits.

create or replace function flowledger.begin_batch(p_name text, p_generation integer)
returns void
language sql
volatile
as $$
    select pg_advisory_xact_lock_shared(
        hashtext('flowledger.batch'), hashtext(p_name || '__' || p_generation)
    );
$$;
