"""Fixtures of the running engine."""

from __future__ import annotations

from support.engines import lab, shared_lab

__all__ = ["lab", "shared_lab"]
