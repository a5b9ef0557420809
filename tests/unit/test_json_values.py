"""JSON values whose classes have code of their own: what it raises is told of the place."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from flowledger.engine.domain.json_values import as_json
from flowledger.engine.errors import InvalidContext
from flowledger.handlers import Workflow


class Faceless:
    @property
    def __class__(self) -> Any:
        raise RuntimeError("its target is gone")


class Nameless(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in ("__name__", "__qualname__"):
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class Unnamed(metaclass=Nameless):
    pass


class Unread(dict[str, Any]):
    def items(self) -> NoReturn:
        raise ValueError("not now")


class Key(int):
    def __repr__(self) -> str:
        raise RuntimeError("no text")


VALUES = [
    ({"v": Faceless()}, ".v: Faceless cannot be read, RuntimeError was raised"),
    ({"v": [1, Unnamed()]}, ".v[1]: Unnamed is not JSON"),
    ({"v": Unread(a=1)}, ".v: Unread cannot be read, ValueError was raised"),
    ({"v": {Key(1): 1}}, ".v: dict cannot be read, RuntimeError was raised"),
]
IDS = [type(value["v"]).__name__ for value, _ in VALUES]


@pytest.mark.parametrize(("value", "said"), VALUES, ids=IDS)
def test_a_value_that_raises_is_refused_with_its_place(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"^\.v") as refused:
        as_json(value)

    assert str(refused.value) == said


@pytest.mark.parametrize("value", [value for value, _ in VALUES], ids=IDS)
def test_a_context_that_raises_is_refused_as_any_wrong_one(value: Any) -> None:
    workflow = Workflow("a", "b", version="1")

    with pytest.raises(InvalidContext):
        workflow.encode_context(value)
