"""docs/events.md lists every event with all of its fields, as the code has them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from flowledger.engine.events.registry import EVENTS

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT = runpy.run_path(str(DOCS / "list_events.py"))
PAGE = (DOCS / "events.md").read_text("utf-8")


def test_the_page_is_up_to_date() -> None:
    assert SCRIPT["page"]() == PAGE, "run: python docs/list_events.py"


def test_every_event_is_there_with_its_class_and_a_sentence() -> None:
    found = dict(re.findall(r"^### ([a-z_.]+)\n\n`(\w+)`.*\. [A-Z]", PAGE, re.M))

    assert found == {topic: kind.__name__ for topic, kind in EVENTS.items()}
