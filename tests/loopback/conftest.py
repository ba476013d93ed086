"""Whole programs for the tests here: a provider, and `flo2 serve`, each a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest

from flo2.gateway import Gateway
from flo2.secrets import Secret
from flo2.stored import RouteSpec, TargetSpec
from flo2.stores import EntryFilter

HERE = Path(__file__).parent
PATIENCE_S = 30.0
COMMAND = "import sys; from flo2.cli import main; sys.exit(main())"
PROVIDER_KEY = "sk-canary-4f1c7d2e9b8a6053"


class Provider:
    """The fake provider's process.

    Attributes:
        url: Its base URL.
        usage_of: What it bills for a token, as its own module says.
    """

    def __init__(self, log):
        script = HERE / "fake_provider.py"
        spec = importlib.util.spec_from_file_location("fake_provider", script)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.usage_of = module.usage_of
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"

    def received(self):
        """Name the token of every call that arrived, in order."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def close(self):
        with self._process as process:
            process.stdin.close()
            process.wait(PATIENCE_S)


class House:
    """A data folder, its configuration, and the gateway processes that run over it.

    Attributes:
        folder: The data folder.
        key: An issued key, as a client sends it.

    The model `acme/m1` is asked for once, the route `patient` tries it again.
    """

    def __init__(self, folder, provider_url, settings=()):
        self.folder = folder / "data"
        self.file = folder / "flo2.toml"
        self.file.write_text(
            "\n".join(
                [
                    f"data_dir = {json.dumps(str(self.folder))}",
                    'network.allow_private = ["127.0.0.0/8"]',
                    "pricing.list = {}",
                    # Only what is used: many processes are started here.
                    'plugins.only = ["pricing-list", "store-sql", "strategy-basic"]',
                    'providers.acme.kind = "openai-compatible"',
                    f"providers.acme.base_url = {json.dumps(provider_url)}",
                    *settings,
                ]
            )
        )
        self.key = anyio.run(self._prepare)
        self._running = []

    def gateway(self):
        """Make a gateway over the same folder in this process."""
        return Gateway.from_file(self.file, environ={})

    async def _prepare(self):
        async with self.gateway() as gateway:
            _, key = await gateway.issue_key("test")
            await gateway.add_credential("acme", Secret(PROVIDER_KEY))
            targets = (TargetSpec("acme", "m1"),)
            route = RouteSpec("default", "patient", "fallback", targets, {"retries": 1})
            await gateway.blocking_call(lambda: gateway.store.put_route(route))
        return key.reveal()

    def start(self, *arguments):
        """Start `flo2 serve` on a free port; gives the process, which may not serve yet."""
        environ = {**os.environ, "NO_COLOR": "1"}
        options = ["--config", str(self.file), "--port", "0", "--json", *arguments]
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environ,
        )
        self._running.append(process)
        return process

    def serve(self, *arguments):
        """Start `flo2 serve` and wait until it serves; gives the process and its port."""
        process = self.start(*arguments)
        return process, self.port_of(process)

    def port_of(self, process, within_s=PATIENCE_S):
        """Wait until a process serves; its port, or None when it takes longer."""
        said = b""
        deadline = time.monotonic() + within_s
        while not said.endswith(b"\n}\n"):
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([process.stdout], [], [], wait)[0]:
                return None
            if not (more := os.read(process.stdout.fileno(), 65536)):
                raise AssertionError(process.communicate(timeout=PATIENCE_S)[1].decode())
            said += more
        return int(json.loads(said)["address"].rpartition(":")[2])

    def kill(self, process):
        """End it as the kernel would."""
        assert process.poll() is None, process.communicate()[1].decode()
        os.kill(process.pid, signal.SIGKILL)
        return self._over(process)[2]

    def stop(self, process):
        """Ask it to end; gives its exit code and what it said to standard error."""
        process.terminate()
        code, _, err = self._over(process)
        return code, err

    def _over(self, process):
        out, err = process.communicate(timeout=PATIENCE_S)
        self._running.remove(process)
        return process.returncode, out.decode(), err.decode()

    def run(self, *arguments):
        """Run another command over the same folder; gives what it says, parsed.

        Raises:
            CalledProcessError: it fails.
        """
        command = [sys.executable, "-c", COMMAND, *arguments, "--config", str(self.file), "--json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    @contextlib.contextmanager
    def store(self):
        """Open the store, to see for oneself."""
        store = self.gateway().store
        store.open()
        try:
            yield store
        finally:
            store.close()

    def entries(self):
        """Give every ledger entry in the store, in order."""
        with self.store() as store:
            return list(store.entries(EntryFilter("default")))

    def left(self):
        """Name what lies in the journal folder; an empty draft of a lock file is nothing."""
        found = sorted(path.name for path in (self.folder / "journal").iterdir())
        return [name for name in found if not name.endswith(".new")]

    def close(self):
        for process in tuple(self._running):
            process.kill()
            self._over(process)


class Client:
    """One connection to a gateway, kept alive."""

    def __init__(self, port, key):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        self._connection.connect()
        self.key = key
        self.here = self._connection.sock.getsockname()

    def get(self, path, key=None):
        """Ask; gives status and body, parsed."""
        self._connection.request(
            "GET", path, headers={"authorization": f"Bearer {key or self.key}"}
        )
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def begin(self, token, path="/v1/chat/completions", key=None):
        """Call; gives the answer, unread."""
        body = {
            "model": "acme/m1",
            "messages": [{"role": "user", "content": token}],
            "max_tokens": 9,
            "stream": token.startswith("s"),
        }
        headers = {"authorization": f"Bearer {key or self.key}", "x-flo2-feature": token}
        self._connection.request("POST", path, json.dumps(body), headers)
        return self._connection.getresponse()

    def call(self, token, path="/v1/chat/completions", key=None):
        """Call and read the answer; gives status, body and request id."""
        answer = self.begin(token, path, key)
        return answer.status, answer.read(), answer.getheader("x-flo2-request-id")

    def close(self):
        self._connection.close()


@pytest.fixture
def connect(make_house):
    """Open connections that are closed at the end, before the gateway is."""
    with contextlib.ExitStack() as stack:

        def open_one(port, key):
            return stack.enter_context(contextlib.closing(Client(port, key)))

        yield open_one


@pytest.fixture
def provider(tmp_path):
    """A provider's process."""
    made = Provider(tmp_path / "provider.log")
    with contextlib.closing(made):
        yield made


@pytest.fixture
def make_house(tmp_path, provider):
    """Make a house; its settings are more lines of its configuration."""
    with contextlib.ExitStack() as stack:

        def make(*settings):
            return stack.enter_context(contextlib.closing(House(tmp_path, provider.url, settings)))

        yield make
