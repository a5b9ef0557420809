"""What users import is listed, sorted, there, and little."""

from __future__ import annotations

from importlib import import_module

import pytest

MOST_NAMES = 25
PACKAGES = ["flowledger.engine", "flowledger.handlers"]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_sorted(package: str) -> None:
    names = import_module(package).__all__

    assert list(names) == sorted(names)


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_exist(package: str) -> None:
    module = import_module(package)

    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_few(package: str) -> None:
    names = import_module(package).__all__

    assert 0 < len(names) <= MOST_NAMES
