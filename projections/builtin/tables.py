"""The tables of the built-in read models, each as a file of `flowledger.sql`."""

from __future__ import annotations

import re
from importlib import resources

VERSION = re.compile(r"-- version: (\d+)\n")


def tables_of(name: str) -> tuple[int, str]:
    """The version of a read model's tables, and the SQL that makes them in `{schema}`.

    Raises ValueError where the file does not begin with its version.
    """
    file = resources.files("flowledger.sql").joinpath(f"projections/{name}.sql")
    text = file.read_bytes().replace(b"\r\n", b"\n").decode()
    version = VERSION.match(text)
    if version is None:
        raise ValueError(f"{name}.sql should begin with `-- version: 1`")
    return int(version[1]), text
