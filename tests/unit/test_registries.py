"""What finds the handlers of a template, and what is said where something else is given."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from flowledger.handlers import Registry, load_template, load_workflow_file, workflow_from_template

ONE = "namespace: a\nname: b\nversion: '1'\nsteps: [{name: pay}]\n"


@pytest.mark.parametrize("given", ["orders", sys, {"a": len}, None])
def test_what_is_no_registry_is_told_where_it_is_given(tmp_path: Path, given: Any) -> None:
    told = (
        rf'registry should be a Registry, such as Registry.of_module\("orders"\),'
        f" got {type(given).__name__}"
    )
    file = tmp_path / "orders.yaml"
    file.write_text(ONE, encoding="utf-8")

    with pytest.raises(TypeError, match=told):
        load_workflow_file(file, given)
    with pytest.raises(TypeError, match=told):
        workflow_from_template(load_template(file), given)


@pytest.mark.parametrize("given", ["orders", [len], 3])
def test_a_registry_is_made_of_names_and_functions(given: Any) -> None:
    with pytest.raises(
        TypeError, match=f"mapping of names to functions, got {type(given).__name__}"
    ):
        Registry(given)


@pytest.mark.parametrize("given", [sys, 3, None])
def test_a_registry_is_made_of_a_module_by_its_name(given: Any) -> None:
    with pytest.raises(TypeError, match=f'such as "orders", got {type(given).__name__}'):
        Registry.of_module(given)
