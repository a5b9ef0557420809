"""The drawings of the life cycles are the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flowledger.engine.domain.states import STEP_TRANSITIONS, TASK_TRANSITIONS

PAGE = Path(__file__).parents[2] / "docs" / "states.md"


def drawing(transitions: Mapping[tuple[Any, type[Any]], Any]) -> str:
    """A table of transitions as a Mermaid diagram."""
    sources = [source for source, _ in transitions]
    ends = dict.fromkeys(state for state in transitions.values() if state not in sources)
    return "\n".join(
        [
            "stateDiagram-v2",
            f"    [*] --> {sources[0]}",
            *(
                f"    {source} --> {state}: {event.__name__}"
                for (source, event), state in transitions.items()
            ),
            *(f"    {state} --> [*]" for state in ends),
        ]
    )


@pytest.mark.parametrize(
    ("place", "transitions"), [(0, TASK_TRANSITIONS), (1, STEP_TRANSITIONS)], ids=["task", "step"]
)
def test_a_drawing_is_its_table(
    place: int, transitions: Mapping[tuple[Any, type[Any]], Any]
) -> None:
    drawn = re.findall(r"^```mermaid\n(.*?)\n?^```$", PAGE.read_text("utf-8"), re.M | re.S)

    assert len(drawn) == 2
    assert drawn[place] == drawing(transitions)
