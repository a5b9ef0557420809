"""Bad input of every kind gets one clear error, nothing stored, nothing stuck.

`HOSTILE_CASES="step.said:17; declare.file:4" pytest tests/hostile -k strange` tries these again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import randbits
from typing import Any

import pytest
from hostile.draw import Case
from hostile.surfaces import KNOWN, SURFACES, cases, known_cases

AGAIN = os.environ.get("HOSTILE_CASES", "")
CASES = 500
LONG_CASES = int(os.environ.get("HOSTILE_RUNS", "10000"))
CHUNK = 500
AT_ONCE = 2
TESTS = Path(__file__).parents[1]


def wrongs(found: Sequence[Case], server: str, folder: Path) -> list[str]:
    """What goes wrong with the cases, each with what tries it again."""
    file = folder / "cases"
    file.write_text("".join(f"{case}\n" for case in found), "utf-8")
    process = subprocess.run(  # noqa: S603 - a process of these tests' own
        [sys.executable, "-m", "hostile.run", server, str(file)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    said: list[dict[str, Any]] = [json.loads(line) for line in process.stdout.splitlines()]
    wrong = [
        f"{one['wrong']}\n  {one['error']}\n{one['trace']}\n  HOSTILE_CASES='{one['wrong']}'"
        for one in said
        if "wrong" in one
    ]
    done = [one["done"] for one in said if "done" in one]
    if not done:
        at = [one["at"] for one in said if "at" in one]
        wrong.append(f"the process ended or hung at {at[-1:]}: {process.stderr[-3000:]}")
    elif done != [len(found)] and not wrong:
        wrong.append(f"only {done} of {len(found)} were tried")
    return wrong


def nothing_wrong(found: Sequence[str]) -> None:
    """Fails with all that was found, which an assertion would cut off."""
    if found:
        pytest.fail("\n".join(found))


def test_strange_input_of_every_kind_harms_nobody(server: str, tmp_path: Path) -> None:
    known = known_cases()
    found = [*known, *cases(0, CASES - len(known))]
    if AGAIN:
        found = [Case.parse(line.strip()) for line in AGAIN.split(";")]

    nothing_wrong(wrongs(found, server, tmp_path))


@pytest.mark.long
@pytest.mark.timeout(0)
def test_the_same_for_many_cases(server: str, tmp_path: Path) -> None:
    found = cases(int(os.environ.get("HOSTILE_SEED", randbits(32))), LONG_CASES)
    chunks = [found[first : first + CHUNK] for first in range(0, len(found), CHUNK)]

    def tried(number: int) -> list[str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        return wrongs(chunks[number], server, folder)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        wrong = [one for part in threads.map(tried, range(len(chunks))) for one in part]

    nothing_wrong(wrong)


def test_what_went_wrong_once_is_among_the_cases() -> None:
    assert {case.kind for case in known_cases()} <= set(SURFACES)
    assert len(known_cases()) < CASES / 2
    assert len(KNOWN) == 26


def test_every_surface_is_tried_in_proportion() -> None:
    drawn = Counter(case.kind for case in cases(0, 10_000))
    whole = sum(weight for weight, _ in SURFACES.values())

    for kind, (weight, _) in SURFACES.items():
        assert 0.5 < drawn[kind] / (10_000 * weight / whole) < 2


def test_a_case_is_written_down_and_read_again() -> None:
    for case in (Case("step.said", 17), Case("step.said", 0, "a time: with a colon")):
        assert Case.parse(str(case)) == case


def test_a_seed_makes_the_same_cases() -> None:
    assert cases(7, 100) == cases(7, 100)
