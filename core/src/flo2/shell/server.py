"""Run the gateway's ASGI app: uvicorn with httptools and uvloop, one process or several.

`run` binds the socket itself, so that a taken port is one clear line, and owns what uvicorn leaves
to its caller: exit codes, slow clients (`flo2.shell.connection`), a drain that ends cleanly
(`flo2.shell.worker`), workers that die (`flo2.shell.supervisor`).

A stop signal drains: no new connections, running answers finish within `graceful_timeout_s`, then
the app's lifespan ends and `run` returns 0. A second Ctrl-C does not wait.
Imports: errors, shell.limits; uvicorn and what needs it only once it is known to be there.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import socket
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from flo2.errors import ConfigError, Flo2Error
from flo2.shell.limits import ClientLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

__all__ = ["ServerSettings", "check_installed", "listen", "run"]

_BACKLOG = 2048


@attrs.frozen
class ServerSettings:
    """What each serving process needs to know; picklable.

    Args:
        graceful_timeout_s: How long running answers may take to finish after a stop signal.
        limits: What one client may cost.
        forwarded_allow_ips: Proxies whose `x-forwarded-for` and `-proto` are believed, separated
            by commas; None believes nobody, which also saves each request a layer.
    """

    graceful_timeout_s: float = 30.0
    limits: ClientLimits = attrs.field(factory=ClientLimits)
    forwarded_allow_ips: str | None = None


def run(
    app_factory: str | Callable[[], ASGIApp],
    *,
    host: str = "127.0.0.1",
    port: int = 8787,
    workers: int = 1,
    uds: str | None = None,
    graceful_timeout_s: float = 30.0,
    header_deadline_s: float = 10.0,
    body_deadline_s: float = 30.0,
    keep_alive_s: float = 75.0,
    limit_concurrency: int | None = None,
    max_connections: int | None = None,
    max_connections_per_ip: int | None = None,
    forwarded_allow_ips: str | None = None,
    on_ready: Callable[[str], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Serve until a stop signal; return the process's exit code.

    Args:
        app_factory: Returns the ASGI app: an import string `package.module:name`, or a callable
            that can be pickled when `workers` is more than 1. Called once in each worker.
        host: Name or address to bind.
        port: TCP port; 0 lets the system choose (`on_ready` says which).
        workers: Processes that share the one listening socket; each has its own app.
        uds: Path of a Unix socket to serve on, instead of host and port.
        graceful_timeout_s: Seconds running answers may take after a stop signal.
        header_deadline_s: Seconds a client has to send a request's head.
        body_deadline_s: Seconds a client has to send a request's body (a large one that arrives
            at `ClientLimits.body_rate` or faster gets more).
        keep_alive_s: Seconds an idle connection stays open.
        limit_concurrency: Most requests in progress in one worker; more are answered 503.
        max_connections: Most open connections of one worker.
        max_connections_per_ip: Most open connections of one address in one worker.
        forwarded_allow_ips: See `ServerSettings`.
        on_ready: Called once with the address, when every worker serves.
        say: Where a line for the operator goes; standard error when None.

    Returns:
        0 after a drain, even one that had to cut requests (it says so); 1 when the server could
        not start or a worker had to be killed; 130 when a second Ctrl-C forced it.
    """
    tell = _to_stderr if say is None else say
    settings = ServerSettings(
        graceful_timeout_s=graceful_timeout_s,
        limits=ClientLimits(
            head_s=header_deadline_s,
            body_s=body_deadline_s,
            idle_s=keep_alive_s,
            running=limit_concurrency,
            connections=max_connections,
            connections_per_ip=max_connections_per_ip,
        ),
        forwarded_allow_ips=forwarded_allow_ips,
    )
    try:
        check_installed()
        sock = listen(host, port, uds)
        with contextlib.closing(sock):
            address = _address(sock, uds)

            def ready() -> None:
                if on_ready is not None:
                    on_ready(address)

            if workers > 1:
                # Both import uvicorn, which is part of flo2[serve] only.
                from flo2.shell.supervisor import supervise  # noqa: PLC0415

                return supervise(app_factory, sock, settings, workers, on_ready=ready, say=tell)
            from flo2.shell.worker import CANNOT_START, serve  # noqa: PLC0415

            code = serve(app_factory, sock, settings, on_ready=ready, say=tell)
            return 1 if code == CANNOT_START else code
    except Flo2Error as exc:
        tell(str(exc))
        return 1
    except KeyboardInterrupt:
        # Before the server took the signals over, or after it gave them back.
        return 130
    finally:
        if uds is not None:
            _unlink_socket(Path(uds))


def check_installed() -> None:
    """Refuse to run on uvicorn's fallbacks.

    Without httptools uvicorn takes h11, which serves bytes smuggled behind
    `Content-Length` + `Transfer-Encoding` as a second request.

    Raises:
        ConfigError: A needed package is missing; says how to install it.
    """
    needed = ["uvicorn", "httptools"]
    if sys.platform != "win32":  # uvloop has no Windows release
        needed.append("uvloop")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            [f'serving needs {" and ".join(missing)}; install with: pip install "flo2[serve]"']
        )


def listen(host: str, port: int, uds: str | None = None) -> socket.socket:
    """Return a bound and listening socket.

    Raises:
        ConfigError: The address is in use, not permitted, or not one of this machine's.
    """
    if uds is not None:
        return _listen_unix(uds)
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as exc:
        raise ConfigError([f"host {host!r} is no address of this machine: {exc}"]) from exc
    sock = socket.socket(family, kind, proto)
    try:
        if sys.platform != "win32":  # there it would let two servers share the port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        # Listen at once: with SO_REUSEADDR, only listening shows that the port is taken.
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        raise ConfigError([_why_not(host, port, exc)]) from exc
    sock.settimeout(0)
    return sock


def _why_not(host: str, port: int, exc: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is in use; choose another with --port"
    if exc.errno == errno.EACCES:
        return f"{where} needs more rights than this user has; choose a --port above 1023"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"{where} is no address of this machine; choose another with --host"
    return f"cannot listen on {where}: {exc.strerror}"


def _listen_unix(path: str) -> socket.socket:
    file = Path(path)
    if file.is_socket():
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(path)
            except OSError:
                file.unlink(missing_ok=True)  # left by a server that was killed
            else:
                raise ConfigError([f"{path} is in use; choose another with --uds"])
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        # A proxy in front usually runs as another user of the same group.
        file.chmod(stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IWGRP)
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        raise ConfigError([f"cannot listen on {path}: {exc.strerror}"]) from exc
    sock.settimeout(0)
    return sock


def _unlink_socket(file: Path) -> None:
    if file.is_socket():
        file.unlink(missing_ok=True)


def _address(sock: socket.socket, uds: str | None) -> str:
    if uds is not None:
        return f"unix:{uds}"
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
