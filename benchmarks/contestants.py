"""Who is measured beside flowledger: what each needs to be installed, and what is said where it is
not there or fails.

A peer that is missing is told in one sentence on the standard error, and so is one that fails while
it is measured; the others are measured all the same. Who was asked for by name and could not be
measured makes the program end with 1; `all` means those that are there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, TypeVar

from peers import restate_server

OURS = "flowledger"
ALL = "all"
SERVER = "restate-server"
PEERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "absurd": ("absurd-sdk", "absurdctl"),
        "dbos": ("dbos",),
        "pgqueuer": ("pgqueuer", "asyncpg"),
        "restate": ("restate-sdk", "hypercorn", "uvloop", SERVER),
    }
)
"""What each needs: packages, and of Restate the server."""

T = TypeVar("T")


def add_argument(parser: argparse.ArgumentParser) -> None:
    """`--peer NAME`, as often as one likes, or `--peer all`."""
    parser.add_argument(
        "--peer",
        choices=(*PEERS, ALL),
        action="append",
        default=[],
        help="measure this one too; all: those that are installed (make bench-setup)",
    )


def installed(name: str) -> str | None:
    """The version of a package, or of Restate's server; None where it is not there."""
    if name == SERVER:
        return restate_server.version() if restate_server.binary() else None
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions(names: Sequence[str]) -> dict[str, str | None]:
    """Of everything that those peers are made of."""
    return {part: installed(part) for name in names for part in PEERS[name]}


def missing(name: str) -> str | None:
    """One sentence that says what of a peer is not installed; None where all of it is."""
    parts = [part for part in PEERS[name] if installed(part) is None]
    if not parts:
        return None
    verb = "is" if len(parts) == 1 else "are"
    return f"{name} is left out: {', '.join(parts)} {verb} not installed (make bench-setup)"


@dataclass
class Contestants:
    """The peers that were asked for, without those that are left out by now."""

    asked: Sequence[str]
    left_out: dict[str, str] = field(default_factory=dict)
    """Why, in a sentence."""

    def __post_init__(self) -> None:
        for name in self._wanted():
            if why := missing(name):
                self._leave_out(name, why)
        if self.asked and ALL not in self.asked and not self.names:
            raise SystemExit(1)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def names(self) -> list[str]:
        """Who takes part."""
        return [name for name in self._wanted() if name not in self.left_out]

    def measured(self, name: str, measure: Callable[[Any], T | None]) -> T | None:
        """What `measure` makes of the peer's module; None where it fails, which is told."""
        if name in self.left_out:
            return None
        try:
            return measure(import_module(f"peers.{name}_peer"))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are measured
            lines = str(error).strip().splitlines() or [type(error).__name__]
            self._leave_out(name, f"{name} is left out: it failed: {lines[-1]}")
            return None

    def exit_code(self) -> int:
        """1 where one that was asked for by name is left out."""
        return int(any(name in self.left_out for name in self.asked))

    def _wanted(self) -> list[str]:
        wanted = PEERS if ALL in self.asked else self.asked
        return list(dict.fromkeys(wanted))

    def _leave_out(self, name: str, why: str) -> None:
        self.left_out[name] = why
        print(why, file=sys.stderr, flush=True)
