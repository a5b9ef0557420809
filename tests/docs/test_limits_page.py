"""The page on limits: its example runs, its settings exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flowledger.engine.config import KNOWN
from flowledger.engine.domain.strict_yaml_reader import read_yaml
from flowledger.handlers import Workflow
from support.cli import PATIENCE
from support.engines import EngineHarness, harness

__all__ = ["harness"]

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text("utf-8")


def test_the_examples_run(harness: EngineHarness) -> None:
    names: dict[str, Any] = {"__name__": "example"}
    for example in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(example, names)  # noqa: S102 - our own page
    orders: Workflow[dict[str, Any]] = names["orders"]
    reports: Workflow[dict[str, Any]] = names["reports"]
    (settings,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    engine = harness.open(orders, reports, **read_yaml(settings))

    assert engine.submit(orders, {"customer_id": 7}).result(PATIENCE) == {"charge": None}
    assert engine.submit(reports, {"tenant_id": "acme"}).result(PATIENCE) == {"build": "acme"}


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:limits|coordinator)\.[a-z_]+)`", PAGE))
    known = {f"{section}.{key}" for section, keys in KNOWN.items() for key in keys}

    assert len(named) > 5
    assert named - known == set()
