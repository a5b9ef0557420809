"""The package ships what the folders hold, and the pinned versions are names and versions only."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
CODE = ("engine", "handlers", "projections", "sql")


def normal(requirement: str) -> str:
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    lists = [
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *(groups[name] for name in ("test", "lint", "peers")),
    ]
    return {normal(requirement) for entries in lists for requirement in entries}


def test_every_package_folder_is_listed_and_no_other() -> None:
    found = {
        "flowledger." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in CODE
        for path in (ROOT / folder).rglob("__init__.py")
    }

    assert sorted(found) == PROJECT["tool"]["setuptools"]["packages"]


def test_every_folder_with_python_code_is_a_package() -> None:
    folders = {path.parent for folder in CODE for path in (ROOT / folder).rglob("*.py")}

    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_every_code_package_says_that_it_is_typed() -> None:
    for folder in ("engine", "handlers", "projections"):
        assert (ROOT / folder / "py.typed").exists(), folder


def test_the_four_folders_install_below_flowledger() -> None:
    folders = PROJECT["tool"]["setuptools"]["package-dir"]

    assert folders == {f"flowledger.{folder}": folder for folder in CODE}


def test_constraints_are_names_and_versions_only() -> None:
    assert [
        line for line in CONSTRAINTS if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.!+]+", line)
    ] == []


def test_constraints_name_every_declared_dependency() -> None:
    assert declared() - {normal(line) for line in CONSTRAINTS} == set()


def test_constraints_name_nothing_twice() -> None:
    names = [normal(line) for line in CONSTRAINTS]

    assert len(names) == len(set(names))
