"""What the doctor looks at. Each check stands alone: one that fails does not hide the next.

Imports: gateway, ledger, vault, prices, cli.bench.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import anyio
from attrs import frozen

from flo2.cli.bench import Bench
from flo2.cli.probe import probe
from flo2.errors import Flo2Error
from flo2.gateway import timestamp
from flo2.ledger.adoption import dead_journals
from flo2.secrets import file_mode_problem, redact, resolve
from flo2.stores import EntryFilter

__all__ = ["Check", "checks"]

_SERVING: Final = ("uvicorn", "httptools", "uvloop")
_PYTHON: Final = (3, 11)
_OLD_BOOK_DAYS: Final = 90
_AHEAD_S: Final = 60


@frozen
class Check:
    """What one check found.

    Attributes:
        ok: True, False, or None for a remark.
        fix: What to do about it.
    """

    name: str
    ok: bool | None
    detail: str
    fix: str = ""


def checks(bench: Bench, *, online: bool) -> Iterator[Check]:
    """Run every check, one after the other."""
    yield _python()
    yield _extras()
    config = _tried("config", lambda: _config(bench))
    yield config
    if not config.ok:
        return
    yield _tried("plugins", lambda: _plugins(bench))
    yield _tried("data folder", lambda: _folder(bench))
    yield _tried("store", lambda: _store(bench))
    yield _tried("key-encryption key", lambda: _kek(bench))
    yield _tried("journal", lambda: _journal(bench))
    yield _tried("admin token and keys", lambda: _keys(bench))
    yield _tried("provider keys", lambda: _credentials(bench))
    if online:
        yield from _reach(bench)
    yield _tried("prices", lambda: _prices(bench))
    yield _tried("clock", lambda: _clock(bench))


def _tried(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Flo2Error as exc:
        first, _, rest = redact(str(exc)).partition("\n")
        return Check(name, ok=False, detail=first, fix=rest.replace("\n", "\n    "))
    except OSError as exc:
        return Check(name, ok=False, detail=f"{exc.filename or ''}: {exc.strerror}".lstrip(": "))


def _python() -> Check:
    version = platform.python_version()
    ok = sys.version_info >= _PYTHON
    return Check("python", ok, version, "" if ok else "flo2 needs Python 3.11 or later")


def _extras() -> Check:
    wanted = [n for n in _SERVING if n != "uvloop" or sys.platform != "win32"]
    missing = [name for name in wanted if find_spec(name) is None]
    if missing:
        return Check(
            "server",
            ok=False,
            detail=f"{', '.join(missing)} not installed",
            fix='to serve: pip install "flo2[serve]"',
        )
    if find_spec("aiohttp") is None:
        fix = 'for the fast HTTP client: pip install "flo2[fast]"'
        return Check("server", ok=True, detail=f"{', '.join(wanted)}; no aiohttp", fix=fix)
    return Check("server", ok=True, detail=f"{', '.join(wanted)}; aiohttp")


def _config(bench: Bench) -> Check:
    file = bench.state.file()
    return Check(
        "config",
        ok=bench.config is not None,
        detail=str(file) if file else "no file, all defaults",
    )


def _plugins(bench: Bench) -> Check:
    loaded = bench.plugins.loaded
    broken = [plugin for plugin in loaded if plugin.error]
    if broken:
        told = "; ".join(f"{plugin.name}: {plugin.error}" for plugin in broken)
        return Check("plugins", ok=False, detail=told, fix="reinstall or disable them")
    return Check("plugins", ok=True, detail=f"{len(loaded)} load")


def _folder(bench: Bench) -> Check:
    folder, name = bench.data_dir, "data folder"
    if not folder.exists():
        return Check(name, ok=None, detail=f"{folder} is not there yet", fix="run: flo2 init")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        detail = f"{folder} may be read by others (mode {mode:04o})"
        return Check(name, ok=False, detail=detail, fix=f"run: chmod 700 {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(
            name, ok=False, detail=f"{folder} cannot be written", fix="let this user write"
        )
    return Check(name, ok=True, detail=f"{folder} (mode {mode:04o})")


def _store(bench: Bench) -> Check:
    kind = bench.store.kind
    file = Path(bench.config.store.get("path") or bench.data_dir / "flo2.db")
    if kind != "sql" or "url" in bench.config.store or not file.is_file():
        return Check("store", ok=True, detail=f"{kind} opens")
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        journal = str(connection.execute("PRAGMA journal_mode").fetchone()[0]).lower()
    if journal != "wal":
        return Check(
            "store",
            ok=False,
            detail=f"{file} has journal mode {journal!r}, not 'wal'",
            fix="is it on a network file system? Put the data folder on a local disk",
        )
    return Check("store", ok=True, detail=f"{file} opens, WAL")


def _kek(bench: Bench) -> Check:
    name = "key-encryption key"
    problems = bench.vault.refresh()
    if problems:
        return Check(name, ok=False, detail="; ".join(problems))
    reference = bench.config.secrets.kek or f"file:{bench.data_dir / 'kek'}"
    if reference.startswith("file:"):
        problem = file_mode_problem(Path(reference.removeprefix("file:")))
        if problem:
            return Check(name, ok=False, detail=problem)
    return Check(name, ok=True, detail=f"{reference} opens this store")


def _journal(bench: Bench) -> Check:
    folder = bench.data_dir / "journal"
    if not folder.is_dir():
        return Check("journal", ok=True, detail="nothing is left in it")
    damaged = sorted(folder.glob("*.damaged"))
    dead = dead_journals(folder, "")
    for each in dead:
        each.release()
    if damaged:
        return Check(
            "journal",
            ok=False,
            detail=f"{len(damaged)} files could not be read whole",
            fix=f"look into {folder}; what could be read is stored",
        )
    left = [each.writer for each in dead if each.writer != "adoption"]
    if left:
        detail = f"{len(left)} left by workers that died; the next start takes them over"
        return Check("journal", ok=None, detail=detail)
    return Check("journal", ok=True, detail="nothing is left in it")


def _keys(bench: Bench) -> Check:
    name = "admin token and keys"
    admin = bench.store.setting("admin.token") is not None
    now = bench.now_us()
    working = [
        key
        for key in bench.store.keys(None)
        if (key.revoked_us is None or key.revoked_us > now)
        and (key.expires_us is None or key.expires_us > now)
    ]
    if not admin or not working:
        missing = " and ".join(
            [*([] if admin else ["no admin token"]), *([] if working else ["no key that works"])]
        )
        return Check(name, ok=None, detail=missing, fix="run: flo2 init, or flo2 keys create NAME")
    return Check(name, ok=True, detail=f"{len(working)} keys work")


def _credentials(bench: Bench) -> Check:
    name = "provider keys"
    providers, found, problems = bench.bare_providers, 0, []
    for credential in bench.store.credentials():
        if credential.disabled_us is not None:
            continue
        found += 1
        bound = providers.get(credential.provider)
        if bound is None:
            problems.append(
                f"{credential.id} is for {credential.provider!r}, which is not installed"
            )
            continue
        try:
            bench.vault.reveal(credential, bound.host)
            if credential.reference is not None and credential.reference[:4] != "vaul":
                resolve(credential.reference, environ=bench.environ)
        except Flo2Error as exc:
            problems.append(redact(str(exc)))
    if problems:
        return Check(name, ok=False, detail=problems[0], fix="; ".join(problems[1:]))
    if not found:
        needing = [n for n, b in sorted(providers.items()) if b.provider.facts.needs_key]
        fix = f"run: flo2 providers add {needing[0]}" if needing else ""
        return Check(name, ok=None, detail="none", fix=fix)
    return Check(name, ok=True, detail=f"{found} can be opened")


def _reach(bench: Bench) -> Iterator[Check]:
    have = {credential.provider for credential in bench.store.credentials()}
    for name, bound in sorted(bench.bare_providers.items()):
        if name in have or not bound.provider.facts.needs_key:
            result = anyio.run(partial(probe, bench, bound, None, ask=False))
            fix = "" if result.ok else "check the network, DNS and the provider's base_url"
            yield Check(f"reach {name}", ok=result.ok, detail=result.detail, fix=fix)


def _prices(bench: Bench) -> Check:
    book = bench.book
    if not book.rows:
        fix = "every call will be unpriced; run: pip install flo2-pricing-list"
        return Check("prices", ok=False, detail="the book is empty", fix=fix)
    newest = max(row.read_on for row in book.rows.values())
    age = (_today(bench) - newest).days
    detail = f"{len(book.rows)} rows, newest read {newest}, book {book.version[:19]}…"
    if age > _OLD_BOOK_DAYS:
        fix = f"that is {age} days ago; run: pip install -U flo2-pricing-list"
        return Check("prices", ok=None, detail=detail, fix=fix)
    return Check("prices", ok=True, detail=detail)


def _clock(bench: Bench) -> Check:
    now = bench.now_us()
    newest_price = max((row.read_on for row in bench.book.rows.values()), default=date.min)
    if _today(bench) < newest_price:
        detail = f"{timestamp(now)} is before {newest_price}, when a price was read"
        return Check("clock", ok=False, detail=detail, fix="set the clock of this machine")
    last = bench.store.exchanges(EntryFilter("default", limit=1, newest_first=True))
    if last and last[0].started_us > now + _AHEAD_S * 1_000_000:
        detail = f"a call is from {timestamp(last[0].started_us)}, and now is {timestamp(now)}"
        return Check("clock", ok=False, detail=detail, fix="set the clock of this machine")
    return Check("clock", ok=True, detail=timestamp(now))


def _today(bench: Bench) -> date:
    return datetime.fromtimestamp(bench.now_us() / 1e6, UTC).date()
