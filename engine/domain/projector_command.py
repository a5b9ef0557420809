"""The command that runs read models: `flowledger projector` by itself knows the engine's own."""

from __future__ import annotations

from collections.abc import Iterable

from flowledger.engine.display_text import some_of

OWN = "flowledger_"
"""So begin the names of the projections that come with the engine, and no others."""


def users_own(names: Iterable[str]) -> list[str]:
    """Those of the names that are projections of the user's own, in order."""
    return sorted({name for name in names if not name.startswith(OWN)})


def projector_command(names: Iterable[str]) -> tuple[str, str]:
    """What runs all of these projections, and what is to be known of it; that may be nothing."""
    named = set(names)
    own = users_own(named)
    if not own:
        return "flowledger projector", ""
    classes = " ".join(["MODULE:CLASS"] * min(len(own), 2)) + ("…" if len(own) > 2 else "")
    many = len(own) > 1
    where = f"where {some_of(own)} {'are' if many else 'is'}"
    beside = f"; the engine's own run beside {'them' if many else 'it'}"
    return f"flowledger projector {classes}", where + (beside if len(own) < len(named) else "")
