"""The driver of the Node SDKs as a running program, and a gateway for it to call."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from flo2.testing.replay import staged

DRIVER = Path(__file__).with_name("driver.mjs")
ANSWER_LIMIT = 64 * 2**20


class Node:
    """The driver as a running program."""

    def __init__(self, process):
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def do(self, **command):
        await self._process.stdin.send(json.dumps(command).encode() + b"\n")
        with anyio.fail_after(60):
            return json.loads(await self._lines.receive_until(b"\n", ANSWER_LIMIT))


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(anyio_backend):
    def providers(url):
        return {
            "openai": {"kind": "openai", "base_url": f"{url}/v1"},
            "chats": {"kind": "openai-compatible", "base_url": f"{url}/v1"},
            "anthropic": {"kind": "anthropic", "base_url": url},
        }

    async with staged(providers) as made:
        yield made


@pytest.fixture(scope="module")
async def node(anyio_backend):
    folder, program = os.environ.get("FLO2_NODE_SDKS"), shutil.which("node")
    assert folder, "FLO2_NODE_SDKS names no folder; run: python3 noxfile.py -s deep"
    assert program, "no 'node' on PATH; install Node.js 20 or newer"
    # A clean environment: both SDKs take keys, addresses and log levels from variables.
    command = [program, str(DRIVER), folder]
    env = {"PATH": os.environ["PATH"]}
    async with await anyio.open_process(command, env=env, stderr=sys.stderr) as process:
        yield Node(process)
        await process.stdin.aclose()
        assert await process.wait() == 0


@pytest.fixture(scope="module")
def ask(node, stage):
    """Ask through the gateway."""

    async def ask(sdk, request, *, do="ask", key=stage.key, **more):
        given = {"sdk": sdk, "base_url": stage.url, "key": key, "do": do, "request": request}
        return await node.do(**given, **more)

    return ask


@pytest.fixture(scope="module")
def ask_upstream(node, stage):
    """Ask the upstream itself, whose answer is the measure."""

    async def ask(sdk, request, **more):
        address = {"base_url": stage.upstream_url, "key": "none"}
        return await node.do(sdk=sdk, do="ask", request=request, **address, **more)

    return ask
