"""Replay every recording through a whole gateway, and count what came of each.

    python tests/recordings/test_coverage.py > docs/dialects/coverage.md

Where flo2 has a surface of the recorded dialect, the recorded request is sent as it was; a provider
of a format that is nobody's surface is asked by a chat client. The provider's plugin answers from
the recording, so that its URL, its decoder, its usage reader and its rule for errors are all run.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from flo2.testing.harness import CANARY, running
from flo2.testing.shared import shared_dir
from flo2.testing.traces import recorded_traces
from flo2.testing.upstream import FakeUpstream
from flo2.wire import Wire

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "dialects" / "coverage.md"
COMPATIBLE = {
    "kind": "openai-compatible",
    "endpoints": ["responses", "transcriptions", "completions"],
}
HOSTS = {
    "alibaba": COMPATIBLE,
    "anthropic": {"kind": "anthropic"},
    "azure": {"kind": "azure", "deployment_type": "global"},
    "bedrock": {"kind": "bedrock", "region": "us-east-1"},
    "cerebras": {"kind": "cerebras"},
    "cohere": {"kind": "cohere"},
    "deepseek": {"kind": "deepseek", "endpoints": ["responses"]},
    "google": {"kind": "google"},
    "google-vertex": {"kind": "google-vertex", "project": "p", "location": "us-central1"},
    "groq": {"kind": "groq"},
    "huggingface": COMPATIBLE,
    "llamacpp": COMPATIBLE,
    "mistral": {"kind": "mistral"},
    "ollama": {"kind": "ollama"},
    "openai": {"kind": "openai"},
    "openrouter": {"kind": "openrouter"},
    "perplexity": COMPATIBLE,
    "together": {"kind": "together"},
    "venice": COMPATIBLE,
    "vercel-gateway": COMPATIBLE,
    "voyageai": COMPATIBLE,
    "writer": COMPATIBLE,
    "xai": {"kind": "xai"},
    "zai": COMPATIBLE,
}
"""How each provider's folder is configured; `base_url` comes on top."""

SURFACES = (
    (r"/chat/completions$", "/v1/chat/completions"),
    (r"/responses/input_tokens$", "/v1/responses/input_tokens"),
    (r"/responses$", "/v1/responses"),
    (r"/messages/count_tokens$", "/v1/messages/count_tokens"),
    (r"/messages$", "/v1/messages"),
    (r"/anthropic/models/.*:rawPredict$", "/v1/messages"),
    (r"/embeddings$", "/v1/embeddings"),
    (r"/completions$", "/v1/completions"),
    (r"/images/generations$", "/v1/images/generations"),
    (r"/images/edits$", "/v1/images/edits"),
    (r"/moderations$", "/v1/moderations"),
    (r"/audio/transcriptions$", "/v1/audio/transcriptions"),
    (r"/audio/speech$", "/v1/audio/speech"),
    (
        r":(generateContent|streamGenerateContent|countTokens|batchEmbedContents)$",
        "/v1beta/models/{model}:{verb}",
    ),
    (r"^/model/\{model\}/(converse|converse-stream)$", "/v1/chat/completions"),
    (r"^/v2/chat$", "/v1/chat/completions"),
    (r"^/v2/embed$", "/v1/embeddings"),
)
"""Endpoint recorded → surface it is called through."""

NOT_CALLED = {
    "/v1/models": "a list of models; the plugins' own tests read them",
    "/v1beta/models": "a list of models; the plugins' own tests read them",
    "/models": "a list of models; the plugins' own tests read them",
    "/openai/v1/models": "a list of models; the plugins' own tests read them",
    "/v1/messages/batches": "batches are no part of flo2 yet",
    "/v1beta/cachedContents": "explicit caches are made at Google; calls may name them",
    "/v1/rerank": "reranking is no part of flo2",
    "/v2/rerank": "reranking is no part of flo2",
    "/api/chat": "Ollama's own format; its models are asked by /v1/chat/completions",
    "/api/generate": "Ollama's own format; its models are asked by /v1/chat/completions",
    "/api/embed": "Ollama's own format; its models are asked by /v1/embeddings",
    "/v1/chat": "an older format of its provider; its models are asked in the newer one",
    "/v1/embed": "an older format of its provider; its models are asked in the newer one",
    "/model/{model}/invoke": "each vendor's own format; Bedrock's models are asked by Converse",
}
"""Recorded, and never called by flo2: why."""

CHAT = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 256}
STAND_INS = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": CHAT,
    "/v1/messages/count_tokens": {"messages": CHAT["messages"]},
    "/v1/responses": {"input": "Hello"},
    "/v1/responses/input_tokens": {"input": "Hello"},
    "/v1/embeddings": {"input": "Hello"},
    "/v1/completions": {"prompt": "Hello"},
    "/v1/images/generations": {"prompt": "A cat"},
    "/v1/moderations": {"input": "Hello"},
    "/v1/audio/speech": {"input": "Hello", "voice": "alloy"},
}
GEMINI = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
EMBED = {"requests": [{"model": "models/m", "content": GEMINI["contents"][0]}]}
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n'
    b'--b\r\nContent-Disposition: form-data; name="stream"\r\n\r\n{stream}\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFF\r\n--b--\r\n"
)
FRAMING = {"connection", "content-encoding", "content-length", "date", "transfer-encoding"}


def surface_of(endpoint):
    for pattern, surface in SURFACES:
        if found := re.search(pattern, endpoint):
            return surface, found.group(1) if found.groups() else ""
    return None, ""


def call_of(provider, trace):
    """Give path, headers and body of a client's call: the recorded one, or a stand-in for it."""
    surface, verb = surface_of(trace.endpoint)
    request = trace.request if isinstance(trace.request, dict) else None
    own = request if trace.endpoint.endswith(surface.removeprefix("/v1")) else None
    model = (request or {}).get("model") or "m"
    name = f"{provider}/{str(model).removeprefix('models/')}"
    if "/anthropic/models/" in trace.endpoint:
        name = f"{provider}/claude-sonnet-4-5"
    if trace.endpoint.startswith("/v1beta/openai/"):  # Google's, for OpenAI's clients
        name = f"compatible/{model}"
    if "{verb}" in surface:
        body = request or (EMBED if verb == "batchEmbedContents" else GEMINI)
        stream = "?alt=sse" if verb == "streamGenerateContent" else ""
        path = surface.format(model=f"{provider}/m", verb=verb) + stream
        return path, {}, json.dumps(body).encode()
    if surface in {"/v1/audio/transcriptions", "/v1/images/edits"} and not own:
        form = {"content-type": "multipart/form-data; boundary=b"}
        asks = b"true" if trace.stream else b"false"
        return surface, form, FORM.replace(b"{model}", name.encode()).replace(b"{stream}", asks)
    body = {**(own or STAND_INS[surface]), "model": name}
    if trace.stream:
        body["stream"] = True
    return surface, {}, json.dumps(body).encode()


def framed(body):
    """Give the frames of a Gemini stream that was recorded as one array: flo2 asks for frames."""
    if not body.startswith(b"["):
        return body
    frames = (b"data: " + json.dumps(each).encode() + b"\r\n\r\n" for each in json.loads(body))
    return b"".join(frames)


async def outcome_of(house, upstream, provider, trace):
    """Replay one recording; say in a few words what became of it."""
    path, headers, body = call_of(provider, trace)
    upstream.requests.clear()
    upstream.forget()
    told = {k: v for k, v in trace.headers.items() if k.lower() not in FRAMING}
    if trace.stream:
        upstream.stream([framed(trace.body)], status=trace.status, headers=told)
    else:
        upstream.reply(trace.status, body=trace.body, headers=told)
    answer = await house.driver.request(
        "POST", path, headers={**house.headers(), **headers}, body=body
    )
    if CANARY.encode() in answer.body:
        return "FAILED: the key is in the answer"
    if not upstream.requests:
        error = re.search(r'"message"\s*:\s*"(.*?)"[,}]', answer.text)
        return f"refused: {error.group(1)[:90] if error else answer.status}"
    receipt = await house.receipt(answer)
    (attempt,) = receipt["attempts"]
    if trace.status >= 400:
        kept = answer.status == trace.status or trace.status in {401, 403}
        words = {"void": "error passed on", "pending": "error passed on, and perhaps billed"}
        return words[attempt["status"]] if kept else f"FAILED: {trace.status} → {answer.status}"
    status = attempt["status"]
    if status in {"settled", "reported", "unpriced"}:
        return "metered"
    return f"{status}: {attempt.get('reason') or attempt.get('outcome')}"[:120]


async def replayed(provider):
    """Replay all of a provider's recordings; gives (endpoint, stream, outcome) of each."""
    traces = recorded_traces(provider)
    upstream = FakeUpstream()
    host = {"base_url": "https://host.invalid/v1", **HOSTS[provider]}
    compatible = {"base_url": "https://host.invalid/v1", **COMPATIBLE}
    config = {"providers": {provider: host, "compatible": compatible}, "pricing": {}}
    found = []
    async with running(
        config, credentials=[provider, "compatible"], wire=Wire(upstream.transport())
    ) as house:
        for trace in traces:
            if trace.endpoint in NOT_CALLED:
                outcome = f"not called: {NOT_CALLED[trace.endpoint]}"
            else:
                outcome = await outcome_of(house, upstream, provider, trace)
            found.append((trace, outcome))
    return found


def page(rows):
    """Write the page."""
    counts = Counter(
        (provider, trace.endpoint, "stream" if trace.stream else "plain", outcome)
        for provider, found in rows.items()
        for trace, outcome in found
    )
    total = Counter(outcome.partition(":")[0] for *_, outcome in counts.elements())
    lines = [
        "# Recorded traffic, replayed",
        "",
        "Every recording goes through a whole gateway and the plugin of its provider;",
        "`python tests/recordings/test_coverage.py` makes this page.",
        "`metered`: the answer reached the client and its usage is in the ledger.",
        "`pending`: the provider told no usage, or none that adds up, and nothing is guessed.",
        "`refused`: flo2 said no before anything was sent, with these words.",
        "",
        "| outcome | recordings |",
        "|---|---|",
        *(f"| {outcome} | {number} |" for outcome, number in total.most_common()),
        f"| all | {sum(total.values())} |",
        "",
        "| provider | endpoint | | outcome | recordings |",
        "|---|---|---|---|---|",
    ]
    for (provider, endpoint, kind, outcome), number in sorted(counts.items()):
        words = outcome.replace("|", "\\|")
        lines.append(f"| {provider} | `{endpoint}` | {kind} | {words} | {number} |")
    return "\n".join([*lines, ""])


async def everything():
    return {provider: await replayed(provider) for provider in HOSTS}


@pytest.mark.parametrize("provider", HOSTS)
async def test_no_recording_fails_without_a_reason(provider, count_replay):
    found = await replayed(provider)
    for trace, _ in found:
        count_replay(trace.kind)
    assert [(trace.name, outcome) for trace, outcome in found if "FAILED" in outcome] == []
    listed = set(
        re.findall(rf"\| {provider} \| `[^`]+` \| \w+ \| (.*) \| \d+ \|", PAGE.read_text())
    )
    assert {outcome.replace("|", "\\|") for _, outcome in found} <= listed


def test_every_folder_of_recordings_is_replayed():
    shared = shared_dir()
    if shared is not None:
        folders = {each.name for each in (shared / "recordings").iterdir() if each.is_dir()}
        assert folders == HOSTS.keys()


if __name__ == "__main__":
    sys.stdout.write(page(asyncio.run(everything())))
