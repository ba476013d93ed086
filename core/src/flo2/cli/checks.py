"""What the doctor looks at. Each check stands alone: one that fails does not hide the next.

Imports: gateway, ledger, vault, prices, cli.bench.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import partial
from importlib.util import find_spec
from typing import Final

import anyio

from flo2.billing import ADMIN_ROLE
from flo2.cli.bench import Bench
from flo2.cli.house_checks import (
    Check,
    check_folder,
    check_journal,
    check_kek,
    check_keys,
    check_store,
)
from flo2.cli.probe import probe
from flo2.errors import Flo2Error
from flo2.gateway.agreeing import read_contracts
from flo2.instants import timestamp
from flo2.secrets import redact, resolve
from flo2.stores import EntryFilter

__all__ = ["Check", "checks"]

_SERVING: Final = ("uvicorn", "httptools", "uvloop")
_PYTHON: Final = (3, 11)
_OLD_BOOK_DAYS: Final = 90
_AHEAD_S: Final = 60


def checks(bench: Bench, *, online: bool) -> Iterator[Check]:
    """Run every check, one after the other."""
    yield _python()
    yield _extras()
    config = _tried("config", lambda: _config(bench))
    yield config
    if not config.ok:
        return
    yield _tried("plugins", lambda: _plugins(bench))
    yield _tried("data folder", lambda: check_folder(bench))
    if bench.state.store is None and not bench.data_dir.exists():
        yield _tried("prices", lambda: _prices(bench))
        return
    yield _tried("store", lambda: check_store(bench))
    yield _tried("key-encryption key", lambda: check_kek(bench))
    yield _tried("journal", lambda: check_journal(bench))
    yield _tried("admin token and keys", lambda: check_keys(bench))
    yield _tried("provider keys", lambda: _credentials(bench))
    if online:
        yield from _reach(bench)
    yield _tried("prices", lambda: _prices(bench))
    yield _tried("priced providers", lambda: _priced(bench))
    contracts = _tried("contracts", lambda: _contracts(bench))
    if contracts.detail:  # most have none
        yield contracts
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


def _credentials(bench: Bench) -> Check:
    name = "provider keys"
    providers, found, problems = bench.bare_providers, 0, []
    for credential in bench.store.credentials():
        if credential.disabled_us is not None or credential.provider.endswith(ADMIN_ROLE):
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
    newest = book.newest or date.min
    age = (_today(bench) - newest).days
    detail = f"{len(book.rows)} rows, newest read {newest}, book {book.version[:19]}…"
    if age > _OLD_BOOK_DAYS:
        fix = f"that is {age} days ago; run: pip install -U flo2-pricing-list"
        return Check("prices", ok=None, detail=detail, fix=fix)
    return Check("prices", ok=True, detail=detail)


def _priced(bench: Bench) -> Check:
    """Say which providers can be called and have no price row: their calls cost what nobody knows.

    A row for one of its models is enough here; `flo2 usage` shows what stayed unpriced.
    """
    have = {each.provider for each in bench.store.credentials() if each.disabled_us is None}
    mine = [bound for name, bound in sorted(bench.bare_providers.items()) if name in have]
    priced = set(bench.book.providers())
    if without := [bound.name for bound in mine if bound.priced_as not in priced]:
        detail = f"no price rows for {', '.join(without)}"
        fix = (
            "their calls are unpriced, unless the provider states its charge; give rows in "
            "[pricing.file], or run: pip install -U flo2-pricing-list"
        )
        return Check("priced providers", ok=None, detail=detail, fix=fix)
    return Check("priced providers", ok=True, detail=", ".join(b.name for b in mine) or "none")


def _contracts(bench: Bench) -> Check:
    found = read_contracts(bench.store)
    problems = [
        f"{account}: {problem}"
        for account, agreed in found.items()
        for problem in (
            agreed.problems(bench.book.defaults)
            if agreed.unreadable is None
            else [f"{agreed.unreadable}; its calls are not priced"]
        )
    ]
    if problems:
        fix = "declare it anew: flo2 contracts set NAME FILE"
        return Check("contracts", ok=False, detail="; ".join(problems), fix=fix)
    versions = sum(len(agreed.versions) for agreed in found.values())
    detail = f"{versions} in all, and they go together" if found else ""
    return Check("contracts", ok=True, detail=detail)


def _clock(bench: Bench) -> Check:
    now = bench.now_us()
    newest_price = bench.book.newest or date.min
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
