"""What the simulations share."""

from __future__ import annotations

import logging
from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True)
def _silence() -> Generator[None]:
    """Thousands of runs are full of trouble; the trace of one that fails says what happened."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)
