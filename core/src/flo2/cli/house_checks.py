"""What the doctor looks at in the data folder: its modes, the store, the keys, the journal.

Imports: ledger, vault, secrets, cli.bench.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from attrs import frozen

from flo2.cli.bench import Bench
from flo2.gateway.first_run import CHAT_KEY
from flo2.keys import ADMIN_SETTING
from flo2.ledger.adoption import dead_journals
from flo2.secrets import file_mode_problem

__all__ = ["Check", "check_folder", "check_journal", "check_kek", "check_keys", "check_store"]


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


def check_folder(bench: Bench) -> Check:
    """Check that the data folder is its owner's alone, and writable."""
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


def check_store(bench: Bench) -> Check:
    """Check that the store opens, and in SQLite that its journal is a write-ahead log."""
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


def check_kek(bench: Bench) -> Check:
    """Check that the key-encryption key opens the store, and is private."""
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


def check_journal(bench: Bench) -> Check:
    """Check what workers that died left behind."""
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


def check_keys(bench: Bench) -> Check:
    """Check that somebody can call, and somebody administer."""
    name = "admin token and keys"
    admin = bench.store.setting(ADMIN_SETTING) is not None
    now = bench.now_us()
    working = [
        key
        for key in bench.store.keys(None)
        if key.id != CHAT_KEY
        and (key.revoked_us is None or key.revoked_us > now)
        and (key.expires_us is None or key.expires_us > now)
    ]
    if not admin or not working:
        missing = " and ".join(
            [*([] if admin else ["no admin token"]), *([] if working else ["no key that works"])]
        )
        return Check(name, ok=None, detail=missing, fix="run: flo2 init, or flo2 keys create NAME")
    return Check(name, ok=True, detail=f"there is a token; keys that work: {len(working)}")
