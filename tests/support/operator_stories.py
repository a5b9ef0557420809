"""Tasks of which an operator may ask something: `b` after `a`, and `other` beside them."""

from __future__ import annotations

from flowledger.engine.events.requests import TaskRequest
from support.builders import AT_ONCE, Story, step, template


def story(on_failure: str = "fail") -> Story:
    """`b` after `a`, and `other` beside them, which keeps the task open while it runs."""
    steps = step("a", retry=AT_ONCE), step("b", "a"), step("other")
    return Story(template(*steps, on_failure=on_failure))


def begun(*steps: str) -> Story:
    found = story()
    found.decided()
    for name in steps or ("a",):
        found.begin(name)
    return found


def failed(*, on_failure: str = "fail", beside: bool = True) -> Story:
    """`a` in error; without `other` beside it the task cannot go on."""
    found = story(on_failure)
    found.decided()
    found.begin("a")
    found.fail("a", retryable=False)
    found.begin("other")
    if not beside:
        found.complete("other")
    found.decided()
    return found


def after(found: Story, kind: type[TaskRequest], *steps: str) -> Story:
    """The story when that was asked for, of the task or of steps."""
    for name in steps or (None,):
        found.asked(kind, name)
    return found


def done(*steps: str) -> Story:
    return story().through(*steps)


def retrying() -> Story:
    found = Story(template(step("a"), step("b", "a"), step("other")))
    found.decided()
    found.begin("a")
    found.fail("a")
    found.decided()
    return found
