"""Whose turn it is, of keys that share a place by weight.

Start-time fair queueing (P. Goyal, H. M. Vin and H. Cheng, 1996), with a turn as the unit of what
is shared: each turn puts the next one of its key off by one over the key's weight, the turn that
stands first is taken, and time is where that one stood. A key that comes anew starts at that time,
so that it neither waits for those who were busy meanwhile nor saves up turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import TypeVar

import orjson

from flowledger.engine.domain.templates.compiled_template import Plan

T = TypeVar("T")
NO_WEIGHTS: Mapping[str, int] = MappingProxyType({})
Weight = Callable[[str], int]
"""What the configuration gives a key; 1 is what any key has."""

MOST_REMEMBERED = 1_000
"""Keys beyond which those are forgotten that would start anew anyway; of more that would not, when
there are twice as many."""


def weights_of(plan: Plan, configured: Mapping[str, int]) -> Weight:
    """By key: what is configured for `namespace/name:value`, else for `value`, else 1.

    A value is written as it is where it is text, else as JSON.
    """
    template = plan.template
    name = f"{template.namespace}/{template.name}"

    def weight(key: str) -> int:
        value = shown_key(key)
        return configured.get(f"{name}:{value}", configured.get(value, 1))

    return weight


def shown_key(key: str) -> str:
    """A key as people write it: text without its quotes, anything else as it is stored."""
    if key.startswith('"'):
        with suppress(orjson.JSONDecodeError):  # a row may have been changed by hand
            return str(orjson.loads(key))
    return key


class FairTurns:
    """When the next turn of each key is, in turns of weight 1."""

    __slots__ = ("_most", "_next", "_now")

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        self._now = 0.0
        self._most = MOST_REMEMBERED

    def start(self, key: str) -> float:
        """Where the key's next turn stands; the smallest is taken first."""
        return max(self._now, self._next.get(key, 0.0))

    def took(self, key: str, weight: int) -> None:
        """The key has had the turn, of so much weight."""
        self._now = self.start(key)
        self._next[key] = self._now + 1 / weight
        if len(self._next) > self._most:
            self._next = {one: start for one, start in self._next.items() if start > self._now}
            self._most = max(MOST_REMEMBERED, 2 * len(self._next))

    def in_turn(self, found: Mapping[str, Sequence[T]], weight: Weight) -> Iterator[tuple[str, T]]:
        """What is there of each key, in the order of turns; of equal ones the first found is first.

        Nothing is taken by that.
        """
        ahead = FairTurns()
        ahead._now, ahead._next = self._now, {**self._next}
        left = {key: iter(items) for key, items in found.items()}
        heap = [(ahead.start(key), place, key) for place, key in enumerate(left)]
        heapify(heap)
        while heap:
            _, place, key = heappop(heap)
            for item in left[key]:
                yield key, item
                ahead.took(key, weight(key))
                heappush(heap, (ahead.start(key), place, key))
                break
