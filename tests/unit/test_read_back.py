"""Values that come back as they went, and those that are refused since they would not."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
    model_serializer,
)
from typing_extensions import TypedDict

from flowledger.engine.domain.handler_protocol import StepCall
from flowledger.engine.errors import InvalidContext, InvalidResult, InvalidTemplate
from flowledger.handlers import Workflow
from flowledger.handlers.round_trip import difference
from flowledger.handlers.type_codec import reader

CALL = StepCall(
    task_id=UUID(int=1),
    step_id=UUID(int=2),
    namespace="a",
    template="b",
    version="1",
    step="s",
    attempt=1,
    idempotency_key="k",
    correlation_id="c",
    config={},
    context=None,
    results={},
)
T = TypeVar("T")
BERLIN = ZoneInfo("Europe/Berlin")


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Colour(Enum):
    RED = "red"


class Base(BaseModel):
    name: str = "x"


class Child(Base):
    extra: int = 1


class Alike(BaseModel):
    name: str = "x"


class Remembering(BaseModel):
    model_config = ConfigDict(extra="allow")
    count: int
    _seen: list[int] = PrivateAttr(default_factory=list)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        return 2 * self.count

    @cached_property
    def triple(self) -> int:
        self._seen.append(self.count)
        return 3 * self.count


class Tags(RootModel[list[str]]):
    pass


class Box(BaseModel, Generic[T]):
    content: T


class Pair(NamedTuple):
    left: int
    right: Colour


class Movie(TypedDict, total=False):
    title: str
    at: datetime


@dataclass
class Parcel:
    items: list[Base]
    weight: Decimal = field(default=Decimal("0.10"), compare=False)


class NoEquals:
    def __init__(self, number: int) -> None:
        self.number = number


class OddEquals(NoEquals):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no answer")


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)
    held: Annotated[
        NoEquals,
        BeforeValidator(lambda raw: raw if isinstance(raw, NoEquals) else NoEquals(raw)),
        PlainSerializer(lambda held: held.number),
    ]
    odd: Annotated[
        OddEquals,
        BeforeValidator(lambda raw: raw if isinstance(raw, OddEquals) else OddEquals(raw)),
        PlainSerializer(lambda odd: odd.number),
    ]


class Revealed(BaseModel):
    token: SecretStr

    @field_serializer("token", when_used="json")
    def reveal(self, token: SecretStr) -> str:
        return token.get_secret_value()


class Aliased(BaseModel):
    name: str = Field(alias="theName")


def remembering() -> Remembering:
    found = Remembering(count=2, other="kept")  # type: ignore[call-arg]
    assert found.triple == 6
    return found


COME_BACK: list[tuple[Any, Any]] = [
    (Base, Base(name="é")),
    (Child, Child()),
    (Base | None, None),
    (Box[Base], Box[Base](content=Base())),
    (Box[Any], Box[Any](content={"a": [1, None, 2.5]})),
    (Box[Any], Box[Any](content=(1, Level.HIGH))),
    (Remembering, remembering()),
    (Tags, Tags(["a"])),
    (Pair, Pair(1, Colour.RED)),
    (Movie, Movie(at=datetime(2026, 1, 1, tzinfo=UTC))),
    (Parcel, Parcel([Base()])),
    (Holder, Holder(held=3, odd=4)),  # type: ignore[arg-type]
    (Revealed, Revealed(token=SecretStr("s3cret"))),
    (Aliased, Aliased(theName="x")),
    (dict[str, datetime], {"a": datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=BERLIN)}),
    (list[timedelta], [timedelta(days=-1, microseconds=1)]),
    (list[time], [time(1, 2, 3, 4)]),
    (list[Decimal], [Decimal("0.10")]),
    (list[bytes], [b"abc"]),
    (list[Path], [Path("/x")]),
    (list[UUID], [UUID(int=7)]),
    (list[IPv4Address], [IPv4Address("127.0.0.1")]),
    (dict[Level, int], {Level.HIGH: 1}),
    (dict[int, str], {1: "a"}),
    (dict[UUID, str], {UUID(int=1): "a"}),
    (dict[str, set[int]], {"a": {3, 1, 2}}),
    (dict[str, frozenset[str]], {"a": frozenset("xyz")}),
    (defaultdict[str, int], defaultdict(int, a=1)),
    (Counter[str], Counter("aab")),
    (OrderedDict[str, int], OrderedDict(b=1, a=2)),
    (deque[int], deque([1, 2])),
    (Mapping[str, int], {"a": 1}),
    (Sequence[int], (1, 2)),
    (dict[str, int | str | float], {"a": 1, "b": "1", "c": 1.0}),
    (dict[str, Literal["a", 1]], {"x": 1}),
    (list[float], [-0.0, 1e300]),
]


class Secretive(BaseModel):
    token: str = Field(default="", exclude=True)


class Euros(BaseModel):
    cents: Annotated[int, BeforeValidator(lambda euros: round(euros * 100))]


class OneWayAlias(BaseModel):
    name: str = Field(validation_alias=AliasChoices("nombre", "nom"))


class Hidden(BaseModel):
    name: str

    @field_serializer("name")
    def hide(self, name: str) -> str:
        return "*" * len(name)


class Shortened(BaseModel):
    a: int = 1
    b: int = 2

    @model_serializer
    def write(self) -> dict[str, Any]:
        return {"a": self.a}


class Upper(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def add(cls, name: str) -> str:
        return name + "!"


NEVER: list[tuple[Any, Any, str]] = [
    (Base, Child(), ": Child comes back as Base"),
    (list[Base], [Base(), Child()], "[1]: Child comes back as Base"),
    (Alike | Base, Base(), ": Base comes back as Alike"),
    (Box[Any], Box[Any](content=Base()), ".content: Base comes back as dict"),
    (Box[Any], Box[Any](content=UUID(int=1)), ".content: UUID comes back as str"),
    (Box[Any], Box[Any](content={1, 2}), ".content: set comes back as list"),
    (Box[object], Box[object](content=Colour.RED), ".content: Colour comes back as str"),
    (OneWayAlias, OneWayAlias(nombre="x"), ".nombre: is missing once it came back"),  # type: ignore[call-arg]
    (Hidden, Hidden(name="abc"), ".name: comes back as another str"),
    (Shortened, Shortened(b=3), ".b: comes back as another int"),
    (Euros, Euros(cents=19.99), ".cents: comes back as another int"),  # type: ignore[arg-type]
    (Upper, Upper(name="a"), ".name: comes back as another str"),
    (dict[tuple[int, int], str], {(1, 2): "a"}, "once it came back"),
    (dict[str | None, str], {None: "a"}, ": comes back as another dict"),
    (dict[bool | str, int], {True: 1}, ": comes back as another dict"),
    (
        list[datetime],
        [datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=3208)))],
        "[0]",
    ),
    (list[bytes], [b"\xff"], ": "),
    (dict[str, int | bool], {"a": float("inf")}, ""),
]


def result_of(kind: Any, value: Any) -> Any:
    """The JSON that a step stores that is annotated to return the type."""
    workflow = Workflow("a", "b", version="1")

    def step() -> Any:
        return value

    step.__annotations__["return"] = kind
    workflow.step(step)
    return workflow.handlers["step"](CALL)


def context_of(kind: Any, value: Any) -> Any:
    """The JSON that is stored of a context."""
    return Workflow("a", "b", version="1", context=kind).encode_context(value)


def read(kind: Any, data: Any) -> Any:
    """What a handler gets that asks for the type."""
    seen: list[Any] = []
    workflow = Workflow("a", "b", version="1", context=kind)
    workflow.step(name="s")(lambda context: seen.append(context))  # noqa: PLW0108 - its parameter counts
    workflow.handlers["s"](
        StepCall(**{n: getattr(CALL, n) for n in CALL.__slots__} | {"context": data})
    )
    return seen[0]


@pytest.mark.parametrize(("kind", "value"), COME_BACK, ids=[str(kind) for kind, _ in COME_BACK])
@pytest.mark.parametrize("write", [result_of, context_of])
def test_a_value_comes_back_as_it_went(write: Any, kind: Any, value: Any) -> None:
    back = read(kind, write(kind, value))

    assert difference(value, back) is None


@pytest.mark.parametrize(("kind", "value", "said"), NEVER, ids=[str(kind) for kind, _, _ in NEVER])
def test_a_value_that_would_come_back_as_another_is_refused_where_it_is_made(
    kind: Any, value: Any, said: str
) -> None:
    with pytest.raises(InvalidResult, match="step 'step': ") as of_result:
        result_of(kind, value)
    with pytest.raises(InvalidContext) as of_context:
        context_of(kind, value)

    assert said in str(of_result.value)
    assert said in str(of_context.value)


class Login(BaseModel):
    user: str
    password: SecretStr


@dataclass
class Session:
    login: Login


class Keys(TypedDict):
    key: SecretBytes


DECLARED: list[tuple[Any, str]] = [
    (SecretStr, ": SecretStr is masked"),
    (Login, ".password: SecretStr is masked"),
    (list[Login], ".password: SecretStr is masked"),
    (Session | None, ".login.password: SecretStr is masked"),
    (Keys, ".key: SecretBytes is masked"),
    (Annotated[Secret[int], "an int"], ": Secret"),
    (Secretive, ".token: is excluded when it is written"),
]


@pytest.mark.parametrize(("kind", "said"), DECLARED, ids=[str(kind) for kind, _ in DECLARED])
def test_a_type_that_never_comes_back_is_refused_at_its_declaration(kind: Any, said: str) -> None:
    with pytest.raises(InvalidTemplate) as of_context:
        Workflow("a", "b", version="1", context=kind)
    with pytest.raises(InvalidTemplate) as of_result:
        result_of(kind, None)

    assert f"workflow a/b@1: context{said}" in str(of_context.value)
    assert f"workflow a/b@1, step 'step': its result{said}" in str(of_result.value)


def test_a_model_that_holds_itself_may_be_declared() -> None:
    class Node(BaseModel):
        children: list[Node] = []

    Node.model_rebuild()
    node = Node(children=[Node()])

    assert read(Node, context_of(Node, node)) == node


def test_plain_json_is_read_as_json_where_a_text_may_be_a_time() -> None:
    kind, text = dict[str, datetime | str], "2026-01-01T00:00:00"
    workflow: Workflow[Any] = Workflow("a", "b", version="1", context=kind)

    stored = workflow.encode_context({"when": text})

    assert stored == {"when": text}
    assert reader(kind)(stored) == {"when": datetime.fromisoformat(text)}


def test_plain_json_given_for_a_model_is_converted_once() -> None:
    with pytest.raises(InvalidContext, match=r"context\.cents: comes back as another int"):
        context_of(Euros, {"cents": 19.99})
