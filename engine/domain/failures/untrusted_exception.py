"""What is known of an exception without running code of its class, which may raise or never end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, cast

MOST_EXCEPTIONS = 500
"""So many causes, contexts and members of groups are followed."""

CHAIN = ("__cause__", "__context__")
Kinds: TypeAlias = "type[BaseException] | tuple[type[BaseException], ...]"
OVERRIDES = frozenset({*CHAIN, "__getattribute__", "exceptions"})


def name_of(
    error: BaseException, attribute: Literal["__name__", "__qualname__"] = "__name__"
) -> str:
    """The name of its class, whatever the class and its own class define."""
    return cast("str", type.__dict__[attribute].__get__(type(error)))


def is_a(error: BaseException, kinds: Kinds) -> bool:
    """`isinstance` by the class that it has, not by the one that it says."""
    return issubclass(type(error), kinds)


def cause_of(error: BaseException) -> BaseException | None:
    """What it was raised from."""
    return cast("BaseException | None", _stored(BaseException, "__cause__", error))


def can_be_followed(error: BaseException) -> bool:
    """Whether what it came from, and what it is a group of, has an end.

    The standard library follows both without a limit, and asks the exceptions for them.
    """
    waiting, chained = [error], {id(error)}
    for _ in range(MOST_EXCEPTIONS):
        if not waiting:
            return True
        one = waiting.pop()
        if _has_its_own_way(type(one)):
            return False
        for other in _before(one):
            if id(other) not in chained:
                chained.add(id(other))
                waiting.append(other)
        if is_a(one, BaseExceptionGroup):
            waiting.extend(_stored(BaseExceptionGroup, "exceptions", one))
    return False


def _before(error: BaseException) -> Iterator[BaseException]:
    for attribute in CHAIN:
        other = _stored(BaseException, attribute, error)
        if other is not None:
            yield other


def _has_its_own_way(kind: type[BaseException]) -> bool:
    ours = (BaseException, BaseExceptionGroup)
    mro = cast("tuple[type[object], ...]", type.__dict__["__mro__"].__get__(kind))
    return any(OVERRIDES & vars(one).keys() for one in mro if one is not object and one not in ours)


def _stored(kind: type[BaseException], attribute: str, error: BaseException) -> Any:
    return vars(kind)[attribute].__get__(error)
