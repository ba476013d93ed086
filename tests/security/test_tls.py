"""TLS to providers: always verified, with the operator's own authority where there is one."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSListener

from flo2.testing.harness import running

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("engine", ["aiohttp", "httpx"])
@pytest.mark.parametrize(
    ("trusted", "name", "seen"),
    [(True, "127.0.0.1", True), (False, "127.0.0.1", False), (True, "other.example", False)],
)
async def test_a_key_is_sent_only_to_a_host_that_proves_its_name(
    engine: str, trusted: bool, name: str, seen: bool, tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = plain.extra(SocketAttribute.local_port)  # noqa: S610  # anyio's, not Django's
    listener = TLSListener(plain, context, standard_compatible=False)
    got: list[bytes] = []

    async def answer(stream: Any) -> None:
        async with stream:
            got.append(await stream.receive())
            await stream.send(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    network: dict[str, Any] = {"allow_private": ["127.0.0.0/8"], "engine": engine}
    if trusted:
        network["ca_file"] = str(tmp_path / "ca.pem")
    provider = {"kind": "openai-compatible", "base_url": f"https://127.0.0.1:{port}"}
    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        config = {"network": network, "providers": {"acme": provider}}
        async with running(config, credentials=["acme"]) as house:
            ask = {"model": "acme/m", "messages": [{"role": "user", "content": "x"}]}
            told = await house.post("/v1/chat/completions", ask)
        group.cancel_scope.cancel()
    await listener.aclose()
    assert bool(got) == seen
    assert told.status == (500 if seen else 502)
    assert seen or "is not trusted" in told.json()["error"]["message"]
