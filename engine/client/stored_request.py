"""A request that was stored, and its answer: looking for it, and waiting for it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from threading import Event as ThreadEvent
from time import monotonic
from uuid import UUID

from flowledger.engine.client.waiters import Question, Waiters
from flowledger.engine.display_text import on_one_line
from flowledger.engine.domain.argument_checks import check_seconds
from flowledger.engine.errors import (
    DatabaseUnavailable,
    EngineClosed,
    MaybeStored,
    RequestDenied,
    RequestUnanswered,
)
from flowledger.engine.events.requests import RequestRefused, TaskRequest
from flowledger.engine.ports.client import Answer, Tasks
from flowledger.engine.ports.patience import answered_within


class Request:
    """Something that was asked of a task, and stored; `id` is its stream in the log.

    Whoever asks the same again with its `key` asks once.
    """

    def __init__(
        self, asked: TaskRequest, key: str, tasks: Tasks, endings: Waiters, wait_seconds: float
    ) -> None:
        self.id = asked.originator_id
        self.task_id = asked.task_id
        self.key = key
        self._tasks = tasks
        self._endings = endings
        self._wait_seconds = wait_seconds
        self._answer: Answer | None = None

    def __repr__(self) -> str:
        return f"Request({self.id}, task {self.task_id})"

    @property
    def answered(self) -> bool:
        """Whether a coordinator has granted or refused it."""
        return not look([self], self._tasks)

    @property
    def refusal(self) -> str | None:
        """Why it was refused, and what could be asked; None where it was not, or not yet."""
        answered, answer = self.answered, self._answer
        return answer.message if answered and isinstance(answer, RequestRefused) else None

    @property
    def message(self) -> str | None:
        """What was said with the answer: why not, or what has to wait although it was granted."""
        answered, answer = self.answered, self._answer
        return answer.message if answered and answer is not None else None

    def wait(self, timeout: float | None = None) -> None:
        """Wait until it is granted, at most `timeout` seconds, or as many as are configured.

        Raises RequestDenied; RequestUnanswered when the time is up, and then the request stands;
        EngineClosed when another thread closes the engine; DatabaseSilent, a TimeoutError too,
        where the database does not answer for so long.
        """
        check_seconds("timeout", timeout)
        seconds = self.timeout_or_default(timeout)
        until = monotonic() + seconds
        with answered_within(seconds):
            if not self.answered:
                answered = ThreadEvent()
                with self.on_answer(answered.set):
                    answered.wait(max(0.0, until - monotonic()))
            self.check_answer(seconds)

    def timeout_or_default(self, timeout: float | None) -> float:
        """How long to wait where the caller has said so, or has not."""
        return self._wait_seconds if timeout is None else timeout

    def check_answer(self, seconds: float) -> None:
        """Return where it is granted, after that many seconds; else raise what `wait` raises."""
        if not self.answered:
            if self._endings.stopped:
                raise EngineClosed(self.task_id)
            raise RequestUnanswered(
                self.task_id, self.id, seconds, parked_because(self._tasks, self.task_id)
            )
        if self.refusal is not None:
            raise RequestDenied(self.task_id, self.id, self.refusal)

    @contextmanager
    def on_answer(self, answered: Callable[[], object]) -> Generator[None]:
        """Within the block, call it from another thread once there is an answer, or no engine."""
        with told(self._endings, self._tasks.answers, self.id, answered):
            yield

    @property
    def known_answer(self) -> bool:
        """Whether an answer was seen."""
        return self._answer is not None

    def set_answer(self, answer: Answer | None) -> None:
        """What was found in the log; an answer never changes."""
        self._answer = self._answer or answer


def parked_because(tasks: Tasks, task_id: UUID) -> str | None:
    """Why coordinators leave the task alone, where they do."""
    parked = tasks.surroundings(task_id)[1].parked
    return None if parked is None else on_one_line(parked.reason)


@contextmanager
def asked_again(requests: Sequence[Request]) -> Generator[None]:
    """Within the block, who cannot look for the answers is told with what key to ask again."""
    try:
        yield
    except DatabaseUnavailable as error:
        key = requests[0].key
        tasks = tuple(request.task_id for request in requests)
        raise MaybeStored(f"ask again with key={key!r}", str(error), tasks, key) from error


def look(requests: Sequence[Request], tasks: Tasks) -> list[Request]:
    """Ask the log about those that have no answer yet; returns those that still have none."""
    unanswered = [request for request in requests if not request.known_answer]
    if unanswered:
        answers = tasks.answers([request.id for request in unanswered])
        for request in unanswered:
            request.set_answer(answers.get(request.id))
    return [request for request in unanswered if not request.known_answer]


@contextmanager
def told(
    endings: Waiters, question: Question, of: UUID, callback: Callable[[], object]
) -> Generator[None]:
    endings.subscribe(question, of, callback)
    try:
        yield
    finally:
        endings.unsubscribe(question, of, callback)
