"""The fingerprint of a projection's code: what changes it, and what does not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on
from flowledger.projections.builtin import BUILTIN
from flowledger.projections.code_fingerprint import fingerprint

TEXT = '''
from flowledger.engine.events import StepCompleted
from flowledger.projections import Cursor, Projection, on

class Shared(Projection):
    def cents(self, event):
        return event.result["cents"]

class Spend(Shared):
    name, version = "money", 1
    tables = "create table {schema}.spend (customer text, cents bigint)"
    adds = "insert into spend values (%s, %s)"

    @on(StepCompleted, template="order")
    def charged(self, event, cursor):
        """What a customer spent."""
        cursor.execute(self.adds, (event.result["customer"], self.cents(event)))
        cursor.execute("""
select 1
        """)
'''

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A module of the text, as it would be imported from a file."""
    numbers = iter(range(100))

    def load(text: str) -> ModuleType:
        path = tmp_path / f"model{next(numbers)}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


def code_of(module: ModuleType) -> str:
    found = fingerprint(module.Spend())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"What a customer spent."', '"Something else."'),
        ('        """What a customer spent."""\n', ""),
        ("(self, event, cursor):\n", "(self, event, cursor):  # as charged\n"),
        ("(self, event):\n", "(self, event):\n\n        # in cents\n"),
        ('event.result["cents"]', "event.result['cents']"),
        ('event.result["cents"]', '(event.result[\n            "cents"\n        ])'),
        ("class Shared", "LATER = 1\n\n\nclass Shared"),
        ('    name, version = "money", 1', '    """Rows."""\n\n    name, version = "money", 1'),
        ('"money", 1', '"money", 2'),
        ('"money", 1', '"money", 1\n    on_error = "park_event"'),
        ("    adds =", "    counted: dict = {}\n    adds ="),
    ],
)
def test_what_changes_no_row_does_not_change_it(load: Load, old: str, new: str) -> None:
    assert old in TEXT

    assert code_of(load(TEXT.replace(old, new))) == code_of(load(TEXT))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('event.result["cents"]', 'event.result["cents"] * 2'),
        ('event.result["cents"]', 'event.result["Cents"]'),
        ("values (%s, %s)", "values (%s, %s) on conflict do nothing"),
        ('template="order"', 'template="orders"'),
        ("cents bigint)", "cents integer)"),
        ("self, event, cursor", "self, given, cursor"),
        ("(Shared):", "(Shared):\n    limit = 7"),
        ("(Shared):", "(Shared):\n    def cents(self, event):\n        return 1\n"),
        ("(Shared):", "(Shared):\n    def forget(self, tasks, cursor):\n        pass\n"),
    ],
)
def test_what_may_change_a_row_changes_it(load: Load, old: str, new: str) -> None:
    assert old in TEXT

    assert code_of(load(TEXT.replace(old, new))) != code_of(load(TEXT))


def test_it_is_the_same_for_ever(load: Load) -> None:
    """Whatever the version of Python: hosts of two must agree, and so must those of next year."""
    assert code_of(load(TEXT)) == GOLDEN


GOLDEN = "f9fb1c5ad6d779a20ab4a5d9eb1060a4d528d75dbacb63016123da5b01ced563"


def test_of_code_without_its_text_there_is_none() -> None:
    known: dict[str, type[Projection]] = {}
    exec(compile(TEXT, "<nowhere>", "exec"), known)  # noqa: S102

    assert fingerprint(known["Spend"]()) is None


def test_of_a_file_that_was_changed_meanwhile_there_is_none_or_another(load: Load) -> None:
    module = load(TEXT)
    before = code_of(module)
    assert module.__file__ is not None
    Path(module.__file__).write_text(f"\n\n\n# later\n{TEXT}")

    assert fingerprint(module.Spend()) in {None, before}


class Lambdas(Projection):
    name, version = "lambdas", 1
    added = lambda self: 1  # noqa: E731

    @on(StepCompleted)
    def charged(self, event: StepCompleted, cursor: Cursor) -> None:
        """Nothing."""


def test_of_what_cannot_be_told_apart_there_is_none() -> None:
    assert fingerprint(Lambdas()) is None


@pytest.mark.parametrize("kind", BUILTIN)
def test_of_what_comes_with_the_engine_there_is_none(kind: type[Projection]) -> None:
    assert fingerprint(kind()) is None
