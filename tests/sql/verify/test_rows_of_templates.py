"""rows_of_templates: templates and their steps as JSON."""

from __future__ import annotations

import json

from support.sql_calls import Connection, call, new_id


def test_a_template_comes_with_its_steps_and_others_do_not(connection: Connection) -> None:
    templates = [new_id(), new_id()]
    definition = '{"steps": [{"name": "a"}, {"name": "b", "dependencies": ["a"]}]}'
    for number, template in enumerate(templates):
        named = (template, "shop", f"order{number}", "1", "h", definition)
        call(connection, "register_template", *named, "template.registered", b"{}", 0)

    found = call(connection, "rows_of_templates", templates[:1])

    assert {template for template, _, _ in found} == {templates[0]}
    rows = [(relation, json.loads(stored)) for _, relation, stored in found]
    assert [row["name"] for relation, row in rows if relation == "template"] == ["order0"]
    steps = [row for relation, row in rows if relation == "template_step"]
    assert [(step["step"], step["parents"]) for step in steps] == [("a", []), ("b", [0])]
