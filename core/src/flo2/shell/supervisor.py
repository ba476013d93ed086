"""Keep N worker processes serving one listening socket.

The parent binds and never accepts; each worker is a fresh interpreter (`spawn`) with its own app
and gateway. A worker that dies is replaced, at once the first time, then ever more slowly; the
operator is told why it died. A stop signal goes on to all workers, and the parent waits for their
drain. If the parent itself is killed, its workers notice by their pipe and drain.

uvicorn's own supervisor (0.54, supervisors/multiprocess) was read and not taken: it has no exit
code, no backoff, tells of a dead worker at level info only, and hears no second Ctrl-C.
Imports: multiprocessing; the shell's worker.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import time
from multiprocessing import connection, resource_tracker
from typing import TYPE_CHECKING

import attrs

from flo2.shell.worker import CANNOT_START, serve_as_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.context import SpawnProcess
    from types import FrameType

    from starlette.types import ASGIApp

    from flo2.shell.server import ServerSettings

__all__ = ["restart_delay_s", "supervise"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# A worker that lived this long did not die of its start; the next one starts at once.
_SETTLED_S = 10.0
# What a worker may take beyond its drain: cut requests end, the app's lifespan ends.
_CLOSE_S = 15.0
_FORCED_S = 3.0


def restart_delay_s(deaths_in_a_row: int) -> float:
    """Return how long to wait before the next start: 0, 0.5, 1, 2, … at most 30 seconds."""
    return 0.0 if deaths_in_a_row <= 1 else min(30.0, 0.5 * 2.0 ** (deaths_in_a_row - 2))


def supervise(
    app_factory: str | Callable[[], ASGIApp],
    sock: socket.socket,
    settings: ServerSettings,
    workers: int,
    *,
    on_ready: Callable[[], None],
    say: Callable[[str], None],
) -> int:
    """Run the workers until a stop signal; return the exit code (see `flo2.shell.server.run`)."""
    parent = _Supervisor((app_factory, sock, settings), settings, on_ready, say)
    with parent.hear_signals():
        return parent.run(workers)


@attrs.define(eq=False)
class _Slot:
    """One worker's place: the process in it, or when the next one starts."""

    process: SpawnProcess | None = None
    pipe: connection.Connection | None = None
    is_ready: bool = False
    started_at: float = 0.0
    due_at: float = 0.0
    deaths: int = 0


class _Supervisor:
    """The parent's loop; owns the slots."""

    def __init__(
        self,
        arguments: tuple[str | Callable[[], ASGIApp], socket.socket, ServerSettings],
        settings: ServerSettings,
        on_ready: Callable[[], None],
        say: Callable[[str], None],
    ) -> None:
        self._arguments = arguments
        self._graceful_s = settings.graceful_timeout_s
        self._on_ready = on_ready
        self._say = say
        self._slots: list[_Slot] = []
        self._signals: list[int] = []
        self._alarm, self._bell = socket.socketpair()
        self._has_served = False
        self._stop_by: float | None = None
        self._code = 0

    @contextlib.contextmanager
    def hear_signals(self) -> Iterator[None]:
        """Note stop signals and wake the loop for them."""
        self._alarm.settimeout(0)
        self._bell.settimeout(0)
        before = {sig: signal.signal(sig, self._note) for sig in _SIGNALS}
        fd = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(fd)
            for sig, handler in before.items():
                signal.signal(sig, handler)
            self._alarm.close()
            self._bell.close()

    def run(self, workers: int) -> int:
        """Start the workers, replace the dead, drain on a signal."""
        self._slots = [_Slot() for _ in range(workers)]
        try:
            while self._stop_by is None or self._living():
                self._start_due()
                self._wait()
                self._heed_signals()
                for slot in self._living():
                    self._look_at(slot)
                if self._stop_by is not None and time.monotonic() > self._stop_by:
                    self._kill_all()
        finally:
            self._kill_all()
        return self._code

    def _note(self, sig: int, frame: FrameType | None) -> None:
        self._signals.append(sig)

    def _living(self) -> list[_Slot]:
        return [slot for slot in self._slots if slot.process is not None]

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.process is None and self._stop_by is None and slot.due_at <= now:
                self._start(slot, now)

    def _start(self, slot: _Slot, now: float) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        slot.process = context.Process(
            target=serve_as_worker, args=(*self._arguments, theirs), name="flo2-worker"
        )
        slot.pipe, slot.is_ready, slot.started_at = ours, False, now
        with _signals_held():
            slot.process.start()
        # Else the parent would hold the worker's end open, and never see it close.
        theirs.close()

    def _wait(self) -> None:
        """Sleep until a worker dies or speaks, a signal comes, or something is due."""
        things: list[connection.Connection | socket.socket | int] = [self._alarm]
        due = [] if self._stop_by is None else [self._stop_by]
        for slot in self._slots:
            if slot.process is None:
                due.append(slot.due_at)
            else:
                things.append(slot.process.sentinel)
                if slot.pipe is not None and not slot.is_ready:
                    things.append(slot.pipe)
        timeout = max(0.0, min(due) - time.monotonic()) + 0.001 if due else None
        connection.wait(things, timeout)
        with contextlib.suppress(BlockingIOError):
            self._alarm.recv(4096)

    def _heed_signals(self) -> None:
        while self._signals:
            sig = self._signals.pop(0)
            if self._stop_by is None:
                self._stop(self._graceful_s + _CLOSE_S)
            elif sig == signal.SIGINT and self._code != 130:
                # The worker's own rule: Ctrl-C while draining forces it.
                self._code = 130
                self._stop_by = time.monotonic() + _FORCED_S
                self._send(signal.SIGINT)

    def _stop(self, within_s: float) -> None:
        self._stop_by = time.monotonic() + within_s
        # Clients are refused from now on, not left waiting in a queue that nobody serves.
        self._arguments[1].close()
        self._send(signal.SIGTERM)

    def _send(self, sig: signal.Signals) -> None:
        for slot in self._living():
            if slot.process is not None and slot.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(slot.process.pid, sig)

    def _look_at(self, slot: _Slot) -> None:
        """Note that a worker became ready, or that it died."""
        if slot.process is None or slot.pipe is None:
            return
        if not slot.is_ready and slot.pipe.poll():
            with contextlib.suppress(EOFError, OSError):
                slot.is_ready = slot.pipe.recv_bytes() == b"ready"
            if not self._has_served and all(each.is_ready for each in self._slots):
                self._has_served = True
                self._on_ready()
        if not slot.process.is_alive():
            self._bury(slot)

    def _bury(self, slot: _Slot) -> None:
        process, pipe = slot.process, slot.pipe
        if process is None or pipe is None:
            return
        process.join()
        pipe.close()
        code, pid = process.exitcode, process.pid
        process.close()
        slot.process = slot.pipe = None
        slot.is_ready = False
        if self._stop_by is not None:
            if code and self._code == 0:
                self._code = 1
            return
        if not self._has_served and code == CANNOT_START:
            # It has said why, and the others will say the same.
            self._code = 1
            self._stop(_CLOSE_S)
            return
        now = time.monotonic()
        slot.deaths = 1 if now - slot.started_at > _SETTLED_S else slot.deaths + 1
        delay = restart_delay_s(slot.deaths)
        slot.due_at = now + delay
        when = f"in {delay:g} s" if delay else "now"
        self._say(f"worker {pid} {_how(code)}; starting another {when}")

    def _kill_all(self) -> None:
        for slot in self._living():
            if slot.process is None or slot.pipe is None:
                continue
            slot.process.kill()
            slot.process.join()
            slot.pipe.close()
            slot.process = slot.pipe = None
            self._code = self._code or 1


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold stop signals back while a worker is started.

    The worker inherits the mask and lifts it once its own handlers stand: Ctrl-C goes to the whole
    group of a terminal, and would end an interpreter that is still importing with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # It lifts the mask itself when it starts its own process, so let it do that first.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"was killed by {name}"
    return f"exited with code {code}"
