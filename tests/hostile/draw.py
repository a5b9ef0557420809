"""Choices of one case, all from its seed: the same case makes the same choices again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

Oddity = Callable[["Draw"], Any]
Oddities = Mapping[str, Oddity]
"""Strange values, each by what it is in plain words."""


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One strange input: which surface, the seed of its choices, and perhaps what it has to be."""

    kind: str
    seed: int
    only: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.seed}" + (f":{self.only}" if self.only else "")

    @classmethod
    def parse(cls, text: str) -> Case:
        """The case that `str` wrote down."""
        kind, seed, *only = text.split(":", 2)
        return cls(kind, int(seed), only[0] if only else None)


class Draw:
    """What a case chooses, and what it says of itself.

    `chosen` are the oddities in it; `places` what a refusal has to name, one of them; `secrets`
    what nothing that is printed or raised may hold; `sentences` are refusals of many lines.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.random = Random(str(Case(case.kind, case.seed)))  # noqa: S311 - a case, not a key
        self.chosen: list[str] = []
        self.places: tuple[str, ...] = ()
        self.secrets: list[str] = []

    def one_of(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.random.randrange(len(values))]

    def chance(self, of: float) -> bool:
        """Whether something happens that does in so many of the cases."""
        return self.random.random() < of

    def odd(self, pool: Oddities) -> Any:
        """A strange value of the pool: the one that the case has to be, where that is in it."""
        drawn = self.one_of(sorted(pool))
        label = self.case.only if self.case.only in pool else drawn
        self.chosen.append(label)
        return pool[label](self)

    def odd_of(self, pools: Mapping[str, Oddities]) -> tuple[str, Any]:
        """The name of one of the pools, and a strange value of it."""
        drawn = self.one_of(sorted(pools))
        fitting = [name for name in sorted(pools) if self.case.only in pools[name]]
        name = fitting[0] if fitting and drawn not in fitting else drawn
        return name, self.odd(pools[name])

    def password(self) -> str:
        """A password of this case, which stands nowhere afterwards."""
        secret = f"hunter{self.random.randrange(10**9):09}"
        self.secrets.append(secret)
        return secret
