-- How far the models are that are written with the decisions: no fact up to there is undecided.

create or replace function flowledger.inline_model_position(p_topics text[])
returns bigint
language sql
stable
as $$
    select least(
        flowledger.last_position(),
        min(flowledger.position_before_next_fact(s.shard, s.shards, s.position, p_topics))
    )
    from flowledger.counted_shards() as s;
$$;
