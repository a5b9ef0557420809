-- Of these claims, the steps whose attempt runs already: the start is in the log, and the batch
-- that the claim is made in has a fact that comes after it. Their rows were put back into the queue
-- while the coordinator had not seen the start, and are of no use to anybody.
--
-- p_steps and p_versions: the claimed steps and where their starts would be. p_streams and p_facts:
-- the streams and versions of the facts. Takes no locks; the claims' rows are locked, which keeps
-- everybody else from their streams.

create or replace function flowledger.already_started_claims(
    p_steps uuid[], p_versions bigint[], p_streams uuid[], p_facts bigint[]
)
returns uuid[]
language sql
stable
as $$
    select coalesce(array_agg(distinct c.step), '{}')
    from unnest(p_steps, p_versions) as c (step, version)
    join unnest(p_streams, p_facts) as i (stream, version)
        on i.stream = c.step and i.version > c.version
    where exists (
        select from flowledger.event as e
        where e.originator_id = c.step and e.originator_version = c.version
    );
$$;
