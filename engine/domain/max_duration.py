"""The longest duration that a setting or a policy may ask for."""

from __future__ import annotations

LONGEST_SECONDS = 10 * 366 * 86_400.0
"""Ten years: what the database's intervals and Python's durations hold without loss."""
