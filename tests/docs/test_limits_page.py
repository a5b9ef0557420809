"""The page on limits: its example runs, its settings exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flowledger.engine.config import KNOWN
from flowledger.handlers import Workflow
from support.cli import PATIENCE
from support.engines import EngineHarness, harness

__all__ = ["harness"]

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text("utf-8")


def test_the_example_runs(harness: EngineHarness) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "example"}
    exec(example, names)  # noqa: S102 - our own page
    orders: Workflow[dict[str, Any]] = names["orders"]
    engine = harness.open(orders)

    assert engine.submit(orders, {"customer_id": 7}).result(PATIENCE) == {"charge": None}


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:limits|coordinator)\.[a-z_]+)`", PAGE))
    known = {f"{section}.{key}" for section, keys in KNOWN.items() for key in keys}

    assert len(named) > 5
    assert named - known == set()
