-- The level of every node of a graph: how many nodes the longest way to it has before it.
-- Nodes are numbered from 0, and the level of node n is at place n + 1. p_parents and p_children
-- are the two ends of the edges, sorted by parent. Raises 22023 where edges form a cycle.
--
-- A node has its level when all its parents have theirs, so every edge is looked at once, however
-- many ways there are through the graph. Levels become known in their order: the last parent is the
-- lowest.

create or replace function flowledger.dag_levels(
    p_nodes integer, p_parents integer[], p_children integer[]
)
returns integer[]
language plpgsql
immutable
as $$
declare
    v_levels integer[] := array_fill(0, array[p_nodes]);
    v_open integer[] := array_fill(0, array[p_nodes]);
    v_first integer[] := array_fill(0, array[p_nodes]);
    v_known integer[] := '{}';
    v_edges integer := coalesce(array_length(p_parents, 1), 0);
    v_edge integer;
    v_child integer;
    v_node integer;
    v_at integer := 0;
begin
    for v_edge in reverse v_edges..1 loop
        v_first[p_parents[v_edge] + 1] := v_edge;
        v_open[p_children[v_edge] + 1] := v_open[p_children[v_edge] + 1] + 1;
    end loop;

    for v_node in 1..p_nodes loop
        if v_open[v_node] = 0 then
            v_known := array_append(v_known, v_node);
        end if;
    end loop;

    while v_at < cardinality(v_known) loop
        v_at := v_at + 1;
        v_node := v_known[v_at];
        v_edge := v_first[v_node];

        while v_edge > 0 and v_edge <= v_edges and p_parents[v_edge] = v_node - 1 loop
            v_child := p_children[v_edge] + 1;
            v_open[v_child] := v_open[v_child] - 1;
            if v_open[v_child] = 0 then
                v_levels[v_child] := v_levels[v_node] + 1;
                v_known := array_append(v_known, v_child);
            end if;
            v_edge := v_edge + 1;
        end loop;
    end loop;

    if v_at < p_nodes then
        raise invalid_parameter_value using message = 'the dependencies form a cycle';
    end if;
    return v_levels;
end
$$;
