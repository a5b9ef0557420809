"""No page has an example in Python that no test reads."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "```python" in page.read_text("utf-8")
]
READERS = "\n".join(
    path.read_text("utf-8")
    for folder in ("docs", "support")
    for path in sorted((ROOT / "tests" / folder).glob("*.py"))
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_with_an_example_is_read_by_a_test(page: Path) -> None:
    assert f'/ "{page.name}").read_text(' in READERS
