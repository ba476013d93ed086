"""What Vertex AI does its own way."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2 import (
    Call,
    ConfigError,
    Credential,
    Inbound,
    InvalidRequest,
    Profile,
    ProviderError,
    Secret,
    Services,
    Wire,
)
from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.gemini import GeminiCountTokens, profile_of
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing import FakeUpstream
from flo2_provider_vertex import Vertex
from flo2_provider_vertex.claude import VertexCountTokens, VertexMessages
from flo2_provider_vertex.gemini import VertexGemini, VertexGeminiCount

CHAT, ANTHROPIC = OpenAIChat(), AnthropicMessages()
GEMINI, COUNT = VertexGemini(), VertexGeminiCount()
MESSAGES, MESSAGES_COUNT = VertexMessages(), VertexCountTokens()
TOKEN, API_KEY = "ya29.test-token-of-a-test", "AIza" + "k" * 35
CLAUDE = "claude-sonnet-4-5@20250929"
GEMINI_ASKED = b'{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}'
CLAUDE_ASKED = b'{"model":"x","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "ho"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
}
MESSAGE = {
    "type": "message",
    "id": "msg_vrtx_1",
    "model": "claude-sonnet-4-5-20250929",
    "content": [],
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def make(wire=None, **options):
    options = {"project": "a-project", **options}
    return Vertex(Vertex.Config(**options), Services(wire=wire or Wire()))


def a_call(  # each names one thing of a call
    dialect=GEMINI,
    body=GEMINI_ASKED,
    *,
    model="gemini-2.5-pro",
    secret=TOKEN,
    project=None,
    headers=None,
    surface=None,
):
    surface = surface or dialect
    inbound = Inbound(surface, body, surface.peek(body), headers=headers, query="beta=true")
    credential = Credential("c", Secret(secret), project)
    same = surface.name == dialect.name
    return Call(inbound, dialect, model, credential, passthrough=same, full=not same)


def claude(dialect=MESSAGES, **options):
    return a_call(dialect, CLAUDE_ASKED, model=CLAUDE, **options)


def ask(call, answer=ANSWER, *, status=200, headers=None, by="chat", **options):
    upstream, outcome = FakeUpstream(), []
    upstream.reply(status, json=answer, headers=headers)

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                async with getattr(make(wire, **options), by)(call) as reply:
                    async for _ in reply.chunks():
                        pass
                    outcome.append(reply)
            except ProviderError as exc:
                outcome.append(exc)

    anyio.run(test)
    return upstream.last, outcome[0]


# Where it goes ---------------------------------------------------------------------------------

GLOBAL = "/projects/a-project/locations/global"


@pytest.mark.parametrize(
    ("call", "target"),
    [
        (a_call(), f"/v1beta1{GLOBAL}/publishers/google/models/gemini-2.5-pro:generateContent"),
        (a_call(COUNT), f"/v1beta1{GLOBAL}/publishers/google/models/gemini-2.5-pro:countTokens"),
        (a_call(model="endpoints/123"), f"/v1beta1{GLOBAL}/endpoints/123:generateContent"),
        (
            a_call(secret=API_KEY),
            "/v1beta1/publishers/google/models/gemini-2.5-pro:generateContent",
        ),
        (
            a_call(project="of-the-credential"),
            f"/v1beta1{GLOBAL}/publishers/google/models/gemini-2.5-pro:generateContent".replace(
                "a-project", "of-the-credential"
            ),
        ),
        (claude(), f"/v1{GLOBAL}/publishers/anthropic/models/{CLAUDE}:rawPredict"),
        (
            claude(MESSAGES_COUNT),
            f"/v1{GLOBAL}/publishers/anthropic/models/count-tokens:rawPredict",
        ),
    ],
)
def test_urls(call, target):
    assert make().url(call) == target


def test_a_stream_has_another_action():
    body = CLAUDE_ASKED.replace(b'"x",', b'"x","stream":true,')
    provider = make()
    call = a_call(MESSAGES, body, model=CLAUDE)
    assert provider.url(call).endswith(f"{CLAUDE}:streamRawPredict")
    chat = b'{"model":"x","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    call = a_call(GEMINI, chat, surface=CHAT)
    assert provider.url(call).endswith("gemini-2.5-pro:streamGenerateContent?alt=sse")


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
    ],
)
def test_a_credential_is_bound_to_the_location_s_host(location, host):
    assert make(location=location).host == host


@pytest.mark.parametrize(
    "options",
    [
        {"location": "evil.example/x"},
        {"location": "us-east1.evil.example"},
        {"location": ""},
        {"project": "a/b"},
        {"project": "Upper"},
        {"version": "v2"},
    ],
)
def test_what_is_none_makes_no_url(options):
    with pytest.raises(ConfigError, match="of Vertex AI @"):
        make(**options)


@pytest.mark.parametrize(
    "model", ["", "a/b", "../x", "a:b", "a?b", "a b", "endpoints/x", "endpoints/1/x", "é", ";a"]
)
def test_what_is_no_model_reaches_no_other_operation(model):
    for call in (a_call(model=model), a_call(MESSAGES, CLAUDE_ASKED, model=model)):
        with pytest.raises(InvalidRequest, match="no name of a model on Vertex AI"):
            make().url(call)


def test_without_a_project_nothing_is_sent():
    with pytest.raises(InvalidRequest, match="nothing names the Google Cloud project"):
        make(project="").url(a_call())
    with pytest.raises(InvalidRequest, match="'a/b' is no id of a Google Cloud project"):
        make().url(a_call(project="a/b"))


def test_tokens_and_api_keys_have_headers_of_their_own():
    received, _ = ask(a_call())
    assert received.headers["authorization"] == f"Bearer {TOKEN}"
    assert "x-goog-api-key" not in received.headers
    received, _ = ask(a_call(secret=API_KEY), project="")
    assert received.headers["x-goog-api-key"] == API_KEY
    assert "authorization" not in received.headers


# Claude ----------------------------------------------------------------------------------------


def test_a_messages_call_goes_through_without_its_model_and_its_query():
    received, reply = ask(claude(headers={"anthropic-beta": "a,b"}), MESSAGE, location="us-east5")
    assert received.target.endswith(
        f"/locations/us-east5/publishers/anthropic/models/{CLAUDE}:rawPredict"
    )
    assert received.body == (
        b'{"anthropic_version":"vertex-2023-10-16","max_tokens":9,'
        b'"messages":[{"role":"user","content":"hi"}]}'
    )
    assert received.headers["anthropic-beta"] == "a,b"
    assert "anthropic-version" not in received.headers
    # A regional endpoint costs more, and the answer does not say where it came from.
    assert reply.observed.usage.context == {"region": "us-east5"}


def test_a_count_names_its_model_in_the_body():
    received, reply = ask(claude(MESSAGES_COUNT), {"input_tokens": 12}, by="count_tokens")
    assert received.json() == {
        "anthropic_version": "vertex-2023-10-16",
        "model": CLAUDE,
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "hi"}],
    }
    assert reply.observed.usage.informational == {"input_tokens": 12}


@pytest.mark.parametrize("wrap", [lambda error: error, lambda error: [error]])
def test_an_error_of_the_cloud_in_front_is_read_for_an_anthropic_client(wrap):
    said = {"error": {"code": 403, "message": "no access", "status": "PERMISSION_DENIED"}}
    _, error = ask(claude(), wrap(said), status=403)
    assert (error.kind, error.message, error.error_type) == (
        "permission",
        "no access",
        "PERMISSION_DENIED",
    )
    told = json.loads(ANTHROPIC.encode_error(error).body)
    assert told["error"] == {"type": "permission_error", "message": "no access"}


def test_an_error_of_anthropic_s_own_keeps_its_bytes():
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    _, error = ask(claude(), said, status=529)
    assert (error.kind, error.error_type, error.retryable) == (
        "overloaded",
        "overloaded_error",
        True,
    )
    assert ANTHROPIC.encode_error(error).body == error.body


# Gemini ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tier", "header"),
    [("flex", "flex"), ("PRIORITY", "priority"), ("standard", None), (None, None)],
)
def test_the_tier_of_a_gemini_client_becomes_a_header(tier, header):
    body = GEMINI_ASKED
    if tier is not None:
        body = body[:-1] + b',"serviceTier":"%b"}' % tier.encode()
    received, _ = ask(a_call(body=body))
    assert received.headers.get("x-vertex-ai-llm-shared-request-type") == header
    assert received.body == GEMINI_ASKED


def test_the_tier_of_another_client_becomes_a_header_too():
    body = b'{"model":"x","service_tier":"flex","messages":[{"role":"user","content":"hi"}]}'
    received, _ = ask(a_call(body=body, surface=CHAT))
    assert received.headers["x-vertex-ai-llm-shared-request-type"] == "flex"
    assert "serviceTier" not in received.json()


def test_a_tier_that_a_client_names_in_the_header_itself_goes_on():
    headers = {"x-vertex-ai-llm-shared-request-type": "priority"}
    received, _ = ask(a_call(headers=headers))
    assert received.headers["x-vertex-ai-llm-shared-request-type"] == "priority"


def test_a_count_is_asked_for_without_a_request_inside():
    whole = b'{"generateContentRequest":{"model":"models/x","contents":[{"parts":[{"text":"a"}]}]}}'
    received, _ = ask(a_call(COUNT, whole), {"totalTokens": 2}, by="count_tokens")
    assert received.json() == {"contents": [{"parts": [{"text": "a"}]}]}
    rendered = COUNT.render(GeminiCountTokens().parse(whole), model="gemini-x", profile=Profile())
    contents = [{"role": "user", "parts": [{"text": "a"}]}]
    assert json.loads(rendered.body) == {"contents": contents}
    received, _ = ask(a_call(COUNT), {"totalTokens": 2}, by="count_tokens")
    assert received.body == GEMINI_ASKED


def test_a_gemini_answer_has_its_location():
    _, reply = ask(a_call(), location="europe-west4")
    assert reply.observed.usage.context == {"region": "europe-west4"}
    assert reply.observed.usage.quantities == {"input_tokens": 3, "output_tokens": 2}


# Models ----------------------------------------------------------------------------------------


def test_each_vendor_s_models_speak_its_own_api():
    provider = make()
    spoken = {
        model: [dialect.name for dialect in provider.speaks(model)]
        for model in ("gemini-2.5-pro", "endpoints/1", CLAUDE)
    }
    assert spoken == {
        "gemini-2.5-pro": ["gemini", "gemini.count_tokens"],
        "endpoints/1": ["gemini", "gemini.count_tokens"],
        CLAUDE: ["anthropic.messages", "anthropic.count_tokens"],
    }


def test_it_knows_its_names():
    names = ("gemini-3-pro", CLAUDE, "claude-opus-5", "gpt-4o", "endpoints/1", "")
    assert [make().knows(name) for name in names] == [True, True, True, False, False, False]


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini-3.5-flash", "endpoints/1"])
def test_profiles_of_gemini_are_those_of_its_family(model):
    assert make().profile(model) == profile_of(model)


def test_profiles_of_claude():
    profile = make().profile(CLAUDE)
    assert profile == Profile(max_output_tokens=64_000, system_turns=False)
    assert make().profile("claude-3-7-sonnet@20250219").max_output_tokens == 64_000


@pytest.mark.parametrize(
    ("model", "window", "output"),
    [
        ("gemini-2.5-pro", 1_048_576, 65_536),
        ("claude-sonnet-4-5@20250929", 200_000, 64_000),
        ("claude-opus-4@20250514", 200_000, 32_000),
    ],
)
def test_what_its_models_can_do_is_known(model, window, output):
    facts = make().describe(model)
    assert (facts.context_window, facts.max_output_tokens) == (window, output)
