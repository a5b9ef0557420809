"""How many examples Hypothesis tries: a few in each run of the tests, many in the long one."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(usual: int) -> int:
    """So many, or as many times that as the long run asks for."""
    return usual * TIMES
