"""The base class of all errors of the engine."""

from __future__ import annotations


class EngineError(Exception):
    """Base of all errors raised by the engine."""
