"""Serve one process: uvicorn's server, with a drain that ends cleanly and exit codes that are true.

uvicorn raises the signal again once it has drained (exit 143, or a KeyboardInterrupt's traceback),
and starts the app's shutdown while the requests it cancelled are still running. Both would be
wrong here: a drained gateway has exited well, and its ledger closes after its last entry.
Imports: uvicorn, anyio, errors, the shell's connection and server settings.
"""

from __future__ import annotations

import asyncio  # noqa: TID251  # the class of a cancelled uvicorn task, outside of any loop
import contextlib
import gc
import importlib
import logging
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import anyio
import uvicorn

from flo2.errors import ConfigError, Flo2Error
from flo2.shell.accepting import Acceptor
from flo2.shell.connection import ConnectionFactory

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection as Pipe
    from types import FrameType

    from starlette.types import ASGIApp

    from flo2.shell.server import ServerSettings

__all__ = ["CANNOT_START", "GracefulServer", "load_app", "serve", "serve_as_worker"]

CANNOT_START = 3
"""Exit code of a worker that failed before it served (uvicorn's own for the same)."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Any client can cause these; logged, they let it fill a disk.
_NOISE = frozenset(("Invalid HTTP request received.",))
# A request that was cut gets this long to write its ledger entry before the lifespan ends.
_CUT_S = 5.0
_GC_ALLOCATIONS = 10_000


class GracefulServer(uvicorn.Server):
    """uvicorn's server for one process.

    Args:
        app: The ASGI app.
        settings: Deadlines and limits.
        on_ready: Called when the app has started and the socket is served.
        say: Where a line for the operator goes.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        *,
        on_ready: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        trusted = settings.forwarded_allow_ips
        config = uvicorn.Config(
            lambda: app,
            factory=True,
            interface="asgi3",
            http=ConnectionFactory(settings.limits),  # type: ignore[arg-type]  # called, not checked
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=trusted is not None,
            forwarded_allow_ips=trusted,
        )
        super().__init__(config)
        self._graceful_s = settings.graceful_timeout_s
        self._on_ready = on_ready
        self._say = say
        self._acceptors: list[Acceptor] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the stop signals over, and give them back without raising them again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {sig: signal.signal(sig, self.handle_exit) for sig in _SIGNALS}
        if hasattr(signal, "pthread_sigmask"):
            # The supervisor starts its workers with both held back, see there.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain on the first signal; do not wait on Ctrl-C after it."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the app, serve the socket, then say so."""
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            if sys.platform != "win32":  # its loop has no readers, and accepts at once by itself
                self._acceptors = [Acceptor(sock, self._protocol) for sock in sockets or []]
            self._on_ready()

    def _protocol(self) -> asyncio.Protocol:
        """Make what uvicorn makes for a connection that it accepts itself."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let running answers finish, cut the rest, end the app's lifespan."""
        for acceptor in self._acceptors:
            acceptor.close()
        for server in self.servers:
            server.close()
        for sock in sockets or []:
            sock.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        await self._until(lambda: not state.connections and not state.tasks, self._graceful_s)
        if state.tasks and not self.force_exit:
            number = len(state.tasks)
            what = "request" if number == 1 else "requests"
            self._say(f"cut {number} {what} still running after {self._graceful_s:g} s")
            for task in list(state.tasks):
                task.cancel()
            await self._until(lambda: not state.tasks, _CUT_S)
        if not self.force_exit:
            await self.lifespan.shutdown()

    async def _until(self, done: Callable[[], bool], within_s: float) -> None:
        with anyio.move_on_after(within_s):
            # uvicorn keeps its tasks and connections in plain sets: nothing to wait for but these.
            while not done() and not self.force_exit:  # noqa: ASYNC110
                await anyio.sleep(0.02)


def serve(
    app_factory: str | Callable[[], ASGIApp],
    sock: socket.socket,
    settings: ServerSettings,
    *,
    on_ready: Callable[[], None],
    say: Callable[[str], None],
    lifeline: Pipe | None = None,
) -> int:
    """Serve in this process until a stop signal, or until `lifeline` breaks; return an exit code.

    Raises:
        Flo2Error: The app cannot be made; the message says why.
    """

    def ready() -> None:
        _settle_heap()
        on_ready()

    server = GracefulServer(load_app(app_factory), settings, on_ready=ready, say=say)
    if lifeline is not None:
        threading.Thread(target=_follow, args=(lifeline, server), daemon=True).start()
    log = logging.getLogger("uvicorn.error")
    terse = _Terse()
    log.addFilter(terse)
    try:
        server.run(sockets=[sock])
    except SystemExit:
        # uvicorn ends a failed lifespan this way; it has logged why.
        return CANNOT_START
    finally:
        log.removeFilter(terse)
    return 130 if server.force_exit else 0


def _settle_heap() -> None:
    """Take what was made at start out of the garbage collector's sight, and let it look less often.

    Plugins and prices stay for the life of the process; a call leaves no cycles behind. Measured on
    `benchmarks/own_work.py`: 4 % of a call.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_ALLOCATIONS)


def serve_as_worker(
    app_factory: str | Callable[[], ASGIApp],
    sock: socket.socket,
    settings: ServerSettings,
    pipe: Pipe,
) -> None:
    """Serve as one of several processes.

    The pipe tells the parent when this worker is ready, and the worker when its parent is gone.
    """

    def say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def ready() -> None:
        # A parent that died meanwhile is noticed by the lifeline.
        with contextlib.suppress(OSError):
            pipe.send_bytes(b"ready")

    try:
        code = serve(app_factory, sock, settings, on_ready=ready, say=say, lifeline=pipe)
    except Flo2Error as exc:
        say(str(exc))
        code = CANNOT_START
    sys.exit(code)


def load_app(app_factory: str | Callable[[], ASGIApp]) -> ASGIApp:
    """Return the app that the factory, or the factory named `package.module:name`, makes.

    Raises:
        ConfigError: The name cannot be imported.
    """
    if not isinstance(app_factory, str):
        return app_factory()
    module, _, name = app_factory.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as exc:
        raise ConfigError(
            [f"app factory {app_factory!r} cannot be imported: {exc}; write package.module:name"]
        ) from exc
    app: ASGIApp = found()
    return app


def _follow(lifeline: Pipe, server: GracefulServer) -> None:
    """Drain when the supervisor is gone, so that its port is not held by orphans."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            lifeline.recv_bytes()
    server.should_exit = True


class _Terse(logging.Filter):
    """Say why a start failed in one line, and nothing about requests that were cut on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is kept; shorten it where the reader needs one line."""
        exc = record.exc_info[1] if record.exc_info else None
        text = record.getMessage()
        if isinstance(exc, asyncio.CancelledError) or text in _NOISE:
            return False
        if exc is not None and text.startswith("Exception in 'lifespan' protocol"):
            while isinstance(exc, BaseExceptionGroup) and len(exc.exceptions) == 1:
                exc = exc.exceptions[0]
            _replace(record, _one_line(exc))
        elif "Traceback (most recent call last)" in text.partition("\n")[0]:  # of a group, too
            # Starlette reports a failed lifespan as a whole traceback.
            _replace(record, text.strip().rpartition("\n")[2].strip(" |+-"))
        return True


def _replace(record: logging.LogRecord, text: str) -> None:
    record.msg, record.args, record.exc_info, record.exc_text = text, (), None, None


def _one_line(exc: BaseException) -> str:
    return str(exc) if isinstance(exc, Flo2Error) else f"{type(exc).__name__}: {exc}"
