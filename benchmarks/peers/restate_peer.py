"""Restate on the same shapes: a task is an invocation, a step a `ctx.run` within it.

That is Restate's quickest way: the handler that was invoked runs all steps of its task, those of
one wave at once, and the server stores the result of each. Restate does not store in Postgres: a
server of its own runs beside, as it is by default. Each process serves its handlers by hypercorn on
uvloop, under a name of its own, so that the tasks can be shared out. All of its tasks are begun by
one more handler, which sends them one way; a task has ended when the last of its steps is stored,
and its latency runs from the moment at which it was sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from typing import Any

import harness
import restate
import shapes
import uvloop
from hypercorn.asyncio import serve
from hypercorn.config import Config
from peers import restate_server
from shapes import BackgroundLoad

Ended = Callable[[float], None]


async def step() -> dict[str, Any]:
    """What every step runs."""
    return shapes.no_operation()


async def run_shape(context: restate.Context, waves: list[list[str]]) -> dict[str, Any]:
    """All waves, the steps of one at once; the result of the last."""
    result: dict[str, Any] = {}
    for wave in waves:
        futures = [context.run_typed(name, step) for name in wave]
        if len(futures) > 1:
            await restate.gather(*futures)
        result = await futures[-1]
    return result


def service(name: str, shape: shapes.Shape, ended: Ended) -> restate.Service:
    """A service that runs tasks of the shape, and begins many."""
    bench, waves = restate.Service(name), shape.waves()

    @bench.handler()
    async def task(context: restate.Context, params: dict[str, Any]) -> dict[str, Any]:
        result = await run_shape(context, waves)
        ended(params["began"])
        return result

    @bench.handler()
    async def begin(context: restate.Context, tasks: int) -> None:
        for number in range(tasks):
            context.service_send(task, {"number": number, "began": time.time()})

    return bench


@asynccontextmanager
async def served(port: int, bench: restate.Service) -> AsyncIterator[None]:
    """The service listens for as long as the block runs."""
    stop = asyncio.Event()
    config = Config()
    config.bind = [f"{restate_server.HOST}:{port}"]
    config.loglevel = "ERROR"  # it warns that nobody asked for ASGI's lifespan
    listening = asyncio.create_task(
        serve(restate.app(services=[bench]), config, shutdown_trigger=stop.wait)  # type: ignore[arg-type]
    )
    try:
        yield
    finally:
        stop.set()
        await listening


async def run_share(
    child: harness.Child, server: restate_server.Server, load: BackgroundLoad
) -> list[float]:
    """Serve until told to stop; latencies, in seconds, of the tasks that ended here."""
    latencies: list[float] = []

    def ended(began: float) -> None:
        latencies.append(time.time() - began)
        child.end()

    name, port = f"bench{child.index}", restate_server.free_port()
    async with served(port, service(name, load.dag, ended)):
        await asyncio.to_thread(server.register, port)
        await asyncio.to_thread(child.stand_by)
        begin = (f"/{name}/begin/send", child.share(load.tasks))
        await asyncio.to_thread(restate_server.request, server.ingress, "POST", *begin)
        await asyncio.to_thread(child.halt.wait)
    return latencies


def _process(child: harness.Child, server: restate_server.Server, load: BackgroundLoad) -> None:
    child.report(uvloop.run(run_share(child, server, load)))


def run(server_url: str, load: BackgroundLoad) -> harness.Figures:
    """Run the load as invocations, on a server of their own beside Postgres."""
    with restate_server.server() as server:
        crew = harness.Crew(_process, load.workers, (server, load), harness.PEER_STALL_SECONDS)
        return harness.measure_elsewhere(crew, load)


def call_each(
    child: harness.Child, server: restate_server.Server, path: str, tasks: int
) -> list[float]:
    """Call so many times, each once the one before has answered; seconds that each took."""
    latencies = []
    connection = HTTPConnection(restate_server.HOST, server.ingress)
    for number in range(tasks):
        began = time.perf_counter()
        params = {"number": number, "began": time.time()}
        restate_server.exchange(connection, "POST", path, params)
        latencies.append(time.perf_counter() - began)
        child.end()
    connection.close()
    return latencies


async def serve_and_call(
    child: harness.Child, server: restate_server.Server, load: BackgroundLoad
) -> list[float]:
    """Call the handlers of this process, from a thread of it."""
    name, port = f"bench{child.index}", restate_server.free_port()
    async with served(port, service(name, load.dag, lambda _: None)):
        await asyncio.to_thread(server.register, port)
        await asyncio.to_thread(child.stand_by)
        return await asyncio.to_thread(call_each, child, server, f"/{name}/task", load.tasks)


def _one_at_a_time(
    child: harness.Child, server: restate_server.Server, load: BackgroundLoad
) -> None:
    child.report(uvloop.run(serve_and_call(child, server, load)))


def one_at_a_time(server_url: str, load: BackgroundLoad) -> harness.Figures:
    """The same, each task once the one before has ended, called and answered over the ingress."""
    with restate_server.server() as server:
        crew = harness.Crew(_one_at_a_time, 1, (server, load), harness.PEER_STALL_SECONDS)
        return harness.measure_elsewhere(crew, load)
