"""References of a JSON Schema: each leads somewhere, and none leads back to where it began.

A schema may refer to itself for a part of the value (`items`, `properties`): the value gets smaller
each time. One that refers to itself for the same value is checked for ever, which JSON Schema Core
(2020-12, 9.4.1) forbids. What `$dynamicRef` leads to depends on the value's way there, so it is
only looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, Protocol, cast

from flowledger.engine.display_text import short

Path = tuple[int | str, ...]

SAME_VALUE = "same value"
PART_OF_IT = "part of it"
IS_A_SCHEMA: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("not", "if", "then", "else"), SAME_VALUE),
        **dict.fromkeys(("items", "contains", "additionalProperties"), PART_OF_IT),
        **dict.fromkeys(("propertyNames", "unevaluatedItems"), PART_OF_IT),
        **dict.fromkeys(("unevaluatedProperties", "contentSchema"), PART_OF_IT),
    }
)
HAS_SCHEMAS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "dependentSchemas"), SAME_VALUE),
        **dict.fromkeys(("prefixItems", "properties", "patternProperties", "$defs"), PART_OF_IT),
    }
)


class Resolved(Protocol):
    """Where a reference leads."""

    @property
    def contents(self) -> object:
        """The schema there."""
        ...

    @property
    def resolver(self) -> Resolver:
        """Who resolves the references that stand there."""
        ...


class Resolver(Protocol):
    """Looks up references from where a schema stands."""

    def lookup(self, ref: str) -> Resolved:
        """Raises Unresolvable."""
        ...

    def in_subresource(self, subresource: Any) -> Resolver:
        """For the references of a schema within, which may have an `$id` of its own."""
        ...


class BrokenReference(ValueError):
    """A reference of the schema that cannot be followed; `path` is where it stands."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(fault)
        self.path = path


def check_references(schema: Mapping[str, Any] | bool) -> None:  # noqa: FBT001 - a JSON value
    """Raises BrokenReference for the first one. The schema is one of JSON Schema 2020-12."""
    known: Any = import_module("jsonschema_specifications")  # comes with jsonschema, an extra
    References().follow_all(schema, known.REGISTRY.resolver_with_root(_resource(schema)))


class References:
    """A walk through all schemas within one."""

    def __init__(self) -> None:
        self._entered: set[int] = set()
        self._left: set[int] = set()
        self._later: list[tuple[Path, object, Resolver]] = []

    def follow_all(self, schema: object, resolver: Resolver) -> None:
        """Follow it and its parts."""
        self._later.append(((), schema, resolver))
        while self._later:
            path, part, known = self._later.pop()
            self._follow(path, part, known)

    def _follow(self, path: Path, schema: object, resolver: Resolver) -> None:
        """Follow what is asked of the same value; parts of it are left for later."""
        number = id(schema)
        if not isinstance(schema, Mapping) or number in self._left:
            return
        if number in self._entered:
            raise BrokenReference(path, "refers to itself, and would be checked for ever")
        self._entered.add(number)
        known = cast("Mapping[str, object]", schema)
        for keyword, place, inner in schemas_in(known):
            there = resolver.in_subresource(_resource(inner))
            if (IS_A_SCHEMA.get(keyword) or HAS_SCHEMAS[keyword]) is SAME_VALUE:
                self._follow((*path, *place), inner, there)
            else:
                self._later.append(((*path, *place), inner, there))
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in known:
                here = (*path, keyword)
                found, there = _looked_up(here, str(known[keyword]), resolver)
                if keyword == "$ref":
                    self._follow(here, found, there)
        self._left.add(number)


def schemas_in(schema: Mapping[str, object]) -> Iterator[tuple[str, Path, object]]:
    """The schemas right within one: the keyword, where it stands, and the schema."""
    for keyword, value in schema.items():
        if keyword in IS_A_SCHEMA:
            yield keyword, (keyword,), value
        elif keyword in HAS_SCHEMAS and isinstance(value, Mapping):
            named = cast("Mapping[str, object]", value)
            yield from ((keyword, (keyword, name), inner) for name, inner in named.items())
        elif keyword in HAS_SCHEMAS and isinstance(value, Sequence):
            listed = enumerate(cast("Sequence[object]", value))
            yield from ((keyword, (keyword, number), inner) for number, inner in listed)


def _looked_up(path: Path, reference: str, resolver: Resolver) -> tuple[object, Resolver]:
    from referencing.exceptions import Unresolvable  # noqa: PLC0415 - an extra

    try:
        found = resolver.lookup(reference)
    except Unresolvable:
        fault = f"{short(reference)!r} is not in this schema, and no other is fetched"
        raise BrokenReference(path, fault) from None
    return found.contents, found.resolver


def _resource(schema: object) -> Any:
    from referencing.jsonschema import DRAFT202012  # noqa: PLC0415 - an extra

    return DRAFT202012.create_resource(cast("Any", schema))
