"""Recorded and golden exchanges with providers, for replay in tests.

Golden traces are written for this project and ship with it; recordings are real traffic that lies
in the shared data and may be absent (see `shared`). Both are files of one format: `request`
(method, path, headers, json), `response` (status, headers, body), `stream`, `tags`, `notes`.
Imports: attrs.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from flo2.testing.shared import shared_dir

__all__ = ["Trace", "golden_traces", "recorded_traces"]


@frozen
class Trace:
    """One exchange.

    Attributes:
        name: Its file's name without the ending.
        kind: `golden traces` or `recordings`: what `count_replay` counts it as.
        endpoint: Path with ids replaced.
        request: The JSON body the client sent, or None where the source kept none.
        text: The body where it is no JSON: a form.
        status: HTTP status of the answer.
        headers: Headers of the answer.
        body: Body of the answer, decoded from its transfer.
        stream: Whether the body is an event stream.
        tags: What the exchange shows.
    """

    name: str
    kind: str
    endpoint: str
    request: Any
    status: int
    headers: Mapping[str, str]
    body: bytes
    stream: bool
    tags: frozenset[str]
    text: str | None = None

    @property
    def request_body(self) -> bytes:
        """The request as bytes."""
        return json.dumps(self.request).encode() if self.text is None else self.text.encode()


def golden_traces(dialect: str) -> tuple[Trace, ...]:
    """Load the golden traces of a dialect (the folder's name, such as `anthropic_messages`)."""
    return _load(Path(__file__).parent / "golden" / dialect, "golden traces")


def recorded_traces(provider: str) -> tuple[Trace, ...]:
    """Load the recordings of a provider; none where there is no shared data.

    Raises:
        FileNotFoundError: `FLO2_REQUIRE_SHARED=1` and there is none.
    """
    shared = shared_dir()
    return _load(shared / "recordings" / provider, "recordings") if shared else ()


def _load(folder: Path, kind: str) -> tuple[Trace, ...]:
    return tuple(_trace(path, kind) for path in sorted(folder.glob("*.json")))


def _trace(path: Path, kind: str) -> Trace:
    data = json.loads(path.read_text(encoding="utf-8"))
    response = data["response"]
    return Trace(
        name=path.stem,
        kind=kind,
        endpoint=data["endpoint"],
        request=(data["request"] or {}).get("json"),
        status=response["status"],
        headers=response.get("headers") or {},
        body=_body(response),
        stream=bool(data["stream"]),
        tags=frozenset(data["tags"]),
        text=(data["request"] or {}).get("text"),
    )


def _body(response: Mapping[str, Any]) -> bytes:
    """Give the body; binary streams lie in the files as base64."""
    if (binary := response.get("body_base64")) is not None:
        return b64decode(binary)
    return str(response.get("body") or "").encode()
