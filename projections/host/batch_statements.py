"""The statements around a batch of a projection."""

from __future__ import annotations

from typing import LiteralString

BEGIN: LiteralString = """
    begin;
    set local synchronous_commit = {durable};
    set local lock_timeout = {lock};
    lock table flowledger.projection in row share mode;
    set local statement_timeout = {statement};
    set local enable_seqscan = {scans};
    set local search_path = {schema}, pg_temp;
    set local role {role}
"""
"""The lock holds up no other batch: by it `terminate_stale_batches` tells batches from people."""
LEAVE: LiteralString = """
    set constraints all immediate;
    select set_config(
        'flowledger.projected_as',
        coalesce(nullif(current_setting('flowledger.projected_as', true), ''), current_user::text),
        true
    );
    set local role none;
    set local search_path = pg_catalog, pg_temp
"""
MOVE: LiteralString = """
    select flowledger.advance_generation_position({name}, {generation}, {{epoch}}, {{old}},
        {{new}});
    commit
"""
"""The names are those of a generation, the numbers in the inner braces those of a batch."""
