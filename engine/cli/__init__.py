"""The command `flowledger`: run workflows, play the engine's roles, look at tasks."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """Run the command with the arguments of this process, and exit."""
    try:
        from flowledger.engine.cli.program import run_program  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        raise SystemExit("error: the command needs an extra: install flowledger[cli]") from None
    run_program()
