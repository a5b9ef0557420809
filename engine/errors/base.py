"""What all errors of the engine have in common."""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors raised by the engine."""
