"""Functions as the files of this release make them, and as a database has them.

Text, language and settings are read from the file of each function. Its arguments and result, as
the server tells them, are kept with the views and sequences in `objects.txt` of `flowledger.sql`,
which `python docs/list_tables.py` writes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from flowledger.engine.store.connection.pool import Connection
from flowledger.engine.store.schema.migrate import SqlFile, packaged
from flowledger.engine.store.schema.table_parts import OtherPart, as_text

FOLDERS = ("functions/", "v1/functions/")
SCHEMAS = ("flowledger", "flowledger_v1")
VOLATILITY = {"immutable": "i", "stable": "s", "volatile": "v"}
OTHERS = "select * from flowledger.views_and_sequences(%s)"
SEPARATOR = " | "

_FUNCTION = re.compile(
    r"^create or replace function (\w+)\.(\w+)\((.*?)\nas \$\$(.*?)\$\$;", re.DOTALL | re.M
)
_SETTING = re.compile(r" set (\w+) = (.+?)(?= set |$)")
FUNCTIONS = """
select p.proname, p.prosrc, l.lanname, p.provolatile, p.prosecdef, p.proisstrict,
    coalesce(array_to_string(p.proconfig, '; '), ''),
    concat_ws(
        ' ', '(' || pg_get_function_arguments(p.oid) || ')',
        'returns ' || pg_get_function_result(p.oid),
        format('cost %%s rows %%s parallel %%s', p.procost, p.prorows, p.proparallel),
        case when p.proleakproof then 'leakproof' end, 'kind ' || nullif(p.prokind, 'f')::text,
        'support ' || nullif(p.prosupport, 0)::text
    )
from pg_proc as p
join pg_language as l on l.oid = p.prolang
join pg_namespace as n on n.oid = p.pronamespace
where n.nspname = %s
order by p.proname, p.oid
"""


class Made(NamedTuple):
    """A function as its file makes it, or as it is stored; `config` is what it sets."""

    body: str
    language: str
    volatility: str
    definer: bool
    strict: bool
    config: str
    signature: str


@cache
def shipped_objects() -> Mapping[str, str]:
    """Views, sequences and signatures of functions in this release, by schema, kind and name."""
    text = resources.files("flowledger.sql").joinpath("objects.txt").read_text("utf-8")
    lines = (line.split(SEPARATOR, 2) for line in text.splitlines())
    return {f"{schema} {name}": definition for schema, name, definition in lines}


@cache
def shipped_functions(files: tuple[SqlFile, ...], schema: str) -> Mapping[str, Made]:
    """The functions of a schema by name, as their files make them."""
    made: dict[str, Made] = {}
    for text in _texts(files):
        for its, name, head, body in _FUNCTION.findall(text):
            if its == schema:
                signature = shipped_objects().get(f"{schema} function {name}", "")
                made[name] = _made(head, body, signature)
    return made


def _made(head: str, body: str, signature: str) -> Made:
    words = " ".join(head.split())
    return Made(
        body=body,
        language=re.findall(r"language (\w+)", words)[-1],
        volatility=VOLATILITY[
            next((kind for kind in VOLATILITY if f" {kind}" in words), "volatile")
        ],
        definer="security definer" in words,
        strict=bool(re.search(r" strict\b", words)),
        config="; ".join(f"{name}={value}" for name, value in _SETTING.findall(words)),
        signature=signature,
    )


def _texts(files: Iterable[SqlFile]) -> Iterator[str]:
    return (file.text.decode() for file in files if file.path.startswith(FOLDERS))


def stored_functions(connection: Connection, schema: str) -> Mapping[str, list[Made]]:
    """The functions of a schema by name, as the database has them."""
    stored: defaultdict[str, list[Made]] = defaultdict(list)
    for name, *made in connection.execute(FUNCTIONS, (schema,)).fetchall():
        stored[name].append(Made(*made))
    return stored


def other_functions(connection: Connection, schema: str) -> Iterator[OtherPart]:
    """The functions of a schema that are not those of this release."""
    shipped = shipped_functions(packaged(), schema)
    stored = stored_functions(connection, schema)
    for name in sorted({*shipped, *stored}):
        its = stored.get(name, [])
        if name not in shipped:
            yield OtherPart(f"function {name}", "none", "there")
        elif its != [shipped[name]]:
            seen = "missing" if not its else "another" if len(its) == 1 else f"{len(its)} of them"
            yield OtherPart(f"function {name}", "that of its file", seen)


def stored_objects(connection: Connection, schema: str) -> Mapping[str, str]:
    """The views and sequences of a schema, by schema, kind and name."""
    rows = connection.execute(OTHERS, (schema,)).fetchall()
    return {f"{schema} {name}": definition for name, definition in rows}


def other_objects(connection: Connection, schema: str) -> Iterator[OtherPart]:
    """The views and sequences of a schema that are not those of this release."""
    prefix, functions = f"{schema} ", f"{schema} function "
    stored = stored_objects(connection, schema)
    shipped = {
        name: definition
        for name, definition in shipped_objects().items()
        if name.startswith(prefix) and not name.startswith(functions)
    }
    for name in sorted({*shipped, *stored}):
        subject = name.removeprefix(prefix)
        if name not in shipped:
            yield OtherPart(subject, "none", "there")
        elif shipped[name] != stored.get(name):
            seen = "another" if name in stored else "missing"
            yield OtherPart(subject, "that of its file", seen)


def objects_as_text(connection: Connection) -> str:
    """The lines of `objects.txt`, by a database that is as it was made."""
    lines: dict[tuple[str, str], str] = {}
    for schema in SCHEMAS:
        for name, definition in stored_objects(connection, schema).items():
            lines[schema, name.removeprefix(f"{schema} ")] = definition
        for name, (made, *_) in stored_functions(connection, schema).items():
            lines[schema, f"function {name}"] = made.signature
    return as_text(lines)
