"""As many shards as there are processes to lead them, without an operator."""

from __future__ import annotations

from threading import Event

from flowledger.engine.bootstrap import command_sessions, database_url
from flowledger.engine.cli.options import system_user
from flowledger.engine.config import Settings
from flowledger.engine.errors import EngineError, ShardsDiffer
from flowledger.engine.store.connection.clock import DatabaseClock
from flowledger.engine.store.shard_membership_store import PostgresShardStore
from flowledger.engine.telemetry.lasting_thread import lasting_thread, tell
from flowledger.engine.telemetry.log import logger
from flowledger.engine.telemetry.log_messages import Signal
from flowledger.engine.telemetry.outages import Backoff

AGAIN_SECONDS, AGAIN_CAP_SECONDS = 0.5, 10.0
"""Before a refused change is tried again: facts are often decided on within a moment."""


class EnoughShards:
    """At least as many shards as processes; those that `coordinator.shards` says, where it is set.

    The database refuses more while facts are not decided on, which only coordinators do: the
    processes are to run meanwhile, and it is tried again beside them.
    """

    def __init__(self, processes: int, settings: Settings) -> None:
        self._processes = processes
        self._settings = settings
        self._backoff = Backoff(AGAIN_SECONDS, AGAIN_CAP_SECONDS)
        self._over = Event()
        self._was_told = False
        self._log = logger("program")

    def see_to(self) -> None:
        """Try it, and go on in a thread until it works or is `over`. Raises ShardsDiffer."""
        if not self._are_there():
            # A database that says nothing must not keep the process from seeing to the others.
            again, is_over = self._try_again, self._over.is_set
            lasting_thread("flowledger-shards", again, tell, is_over).start()

    def over(self) -> None:
        """Try no more."""
        self._over.set()

    def _try_again(self) -> None:
        while not self._over.wait(self._backoff.pause()) and not self._are_there():
            pass

    def _are_there(self) -> bool:
        try:
            self._raise()
        except ShardsDiffer:
            raise
        except EngineError as error:
            self._tell_once(error)
            return False
        return True

    def _raise(self) -> None:
        wanted, configured = self._processes, self._settings.coordinator.shards
        with command_sessions(database_url(self._settings), self._settings) as pool:
            roster = PostgresShardStore(pool, DatabaseClock())
            if configured is not None:
                roster.ensure_count(configured)
            elif roster.have_at_least(
                wanted, actor=system_user(), reason=f"start --processes {wanted}"
            ):
                self._log.emit(Signal.PROGRAM_SHARDS_RAISED, shards=wanted)

    def _tell_once(self, error: EngineError) -> None:
        if not self._was_told:
            self._was_told = True
            command = f"flowledger db shards {self._processes} --reason WHY"
            self._log.emit(Signal.PROGRAM_SHARDS_REFUSED, error=str(error), command=command)
