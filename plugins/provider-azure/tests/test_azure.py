"""What Azure OpenAI does its own way."""

from __future__ import annotations

import json

import anyio
import pytest

from flo2 import Call, Credential, Inbound, ModelInfo, ProviderError, Secret, Services, Wire
from flo2.config.load import structure
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_responses import OpenAIResponses
from flo2.testing import FakeUpstream
from flo2_provider_azure import Azure

CHAT, EMBEDDINGS, RESPONSES = OpenAIChat(), OpenAIEmbeddings(), OpenAIResponses()
ENDPOINT = "https://mine.openai.azure.com"
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 2,
    "total_tokens": 12,
    "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
    "latency_checkpoint": {"engine_tbt_ms": 6, "engine_ttft_ms": 42, "user_visible_ttft_ms": 120},
}
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-11-20",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "a"},
            "finish_reason": "stop",
            "content_filter_results": {},
        }
    ],
    "usage": USAGE,
}


def make(wire=None, **options):
    config = structure({"base_url": ENDPOINT, **options}, Azure.Config, "config")
    return Azure(config, Services(wire=wire or Wire()))


def ask(upstream, *, dialect=CHAT, body=None, model="my gpt-4o", query="", **options):
    """Give the request that Azure gets, and the reply or the error."""
    raw = json.dumps(body or {"model": "x", "messages": [{"role": "user", "content": "hi"}]})
    inbound = Inbound(dialect, raw.encode(), dialect.peek(raw.encode()), query=query)
    call = Call(inbound, dialect, model, Credential("c", Secret("sk-azure")), passthrough=True)
    outcome = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            try:
                item = make(wire, **options)
                async with getattr(item, dialect.operation)(call) as reply:
                    raw = b"".join([chunk.raw async for chunk in reply.chunks()])
                    outcome.extend([reply, raw])
            except ProviderError as exc:
                outcome.append(exc)

    anyio.run(test)
    return upstream.last, *outcome


def answering(json_=ANSWER, status=200, headers=None):
    upstream = FakeUpstream()
    upstream.reply(status, json=json_, headers=headers)
    return upstream


EMBED = {"model": "x", "input": "hi"}
VECTORS = {"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@pytest.mark.parametrize(
    "base_url", [ENDPOINT, f"{ENDPOINT}/", f"{ENDPOINT}/openai", f"{ENDPOINT}/openai/v1/"]
)
@pytest.mark.parametrize(
    ("options", "chat", "embeddings"),
    [
        ({}, "/openai/v1/chat/completions", "/openai/v1/embeddings"),
        (
            {"api_version": "2024-10-21"},
            "/openai/deployments/my%20gpt-4o/chat/completions?api-version=2024-10-21",
            "/openai/deployments/my%20gpt-4o/embeddings?api-version=2024-10-21",
        ),
    ],
)
def test_both_forms_of_its_urls(base_url, options, chat, embeddings):
    request, *_ = ask(answering(), base_url=base_url, **options)
    assert (request.target, request.json()["model"]) == (chat, "my gpt-4o")
    request, *_ = ask(
        answering(VECTORS), dialect=EMBEDDINGS, body=EMBED, base_url=base_url, **options
    )
    assert request.target == embeddings


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, "/openai/v1/responses"),
        ({"api_version": "2025-04-01-preview"}, "/openai/responses?api-version=2025-04-01-preview"),
    ],
)
def test_responses_name_the_deployment_in_the_body(options, target):
    answer = {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "model": "gpt-5",
        "output": [],
        "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    }
    request, reply, _ = ask(
        answering(answer), dialect=RESPONSES, body={"model": "x", "input": "hi"}, **options
    )
    assert (request.target, request.json()["model"]) == (target, "my gpt-4o")
    assert reply.observed.usage.quantities == {"input_tokens": 3, "output_tokens": 2}
    assert reply.observed.usage.context == {"deployment": "unknown"}


def test_a_client_s_query_stays_beside_the_version():
    request, *_ = ask(answering(), query="beta=true", api_version="2024-10-21")
    assert request.target.endswith("/chat/completions?beta=true&api-version=2024-10-21")
    request, *_ = ask(answering(), query="beta=true")
    assert request.target == "/openai/v1/chat/completions?beta=true"


def test_a_key_goes_into_its_own_header_and_a_token_is_a_bearer_s():
    request, *_ = ask(answering())
    assert (request.headers["api-key"], "authorization" in request.headers) == ("sk-azure", False)
    request, *_ = ask(answering(), auth="token")
    assert request.headers["authorization"] == "Bearer sk-azure"
    assert "api-key" not in request.headers


@pytest.mark.parametrize(
    ("options", "context"),
    [
        ({}, {"deployment": "unknown"}),
        ({"deployment_type": "global"}, {}),
        ({"deployment_type": "regional"}, {"deployment": "regional"}),
        (
            {"deployment_type": "regional", "region": "northeurope"},
            {"deployment": "regional", "region": "northeurope"},
        ),
        ({"deployments": {"my gpt-4o": "global"}}, {}),
        (
            {"deployment_type": "global", "deployments": {"my gpt-4o": "data_zone"}},
            {"deployment": "data_zone"},
        ),
        ({"deployments": {"other": "global"}}, {"deployment": "unknown"}),
    ],
)
def test_how_a_deployment_is_billed_is_configured(options, context):
    _, reply, _ = ask(answering(), **options)
    assert reply.observed.model == "gpt-4o-2024-11-20"
    assert reply.observed.usage.quantities == {"input_tokens": 10, "output_tokens": 2}
    assert reply.observed.usage.context == context
    _, reply, _ = ask(answering(VECTORS), dialect=EMBEDDINGS, body=EMBED, **options)
    assert reply.observed.usage.context == context


def test_a_stream_begins_without_choices_and_that_is_no_usage():
    first = {"choices": [], "id": "", "model": "", "object": "", "prompt_filter_results": [{}]}
    chunk = {"id": "c", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "a"}}]}
    end = {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"id": "c", "choices": [], "usage": USAGE}
    frames = [b"data: " + json.dumps(each).encode() + b"\n\n" for each in (first, chunk, end)]
    upstream = FakeUpstream()
    told = b"data: " + json.dumps(usage).encode() + b"\n\n"
    upstream.stream([*frames, told, b"data: [DONE]\n\n"])
    body = {"model": "x", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    request, reply, raw = ask(upstream, body=body, deployment_type="global")
    assert request.json()["stream_options"] == {"include_usage": True}
    assert raw == b"".join(frames) + b"data: [DONE]\n\n"
    assert (reply.observed.model, reply.observed.complete) == ("gpt-4o", True)
    assert reply.observed.usage.quantities == {"input_tokens": 10, "output_tokens": 2}


def test_a_prompt_that_the_filter_refuses_is_billed():
    error = {
        "message": "The response was filtered",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}},
    }
    _, told = ask(answering({"error": error}, 400))
    assert (told.kind, told.retryable, told.code) == ("invalid_request", False, "content_filter")
    assert told.code in make().facts.billed_errors


def test_a_deployment_that_is_not_there_is_not_found_and_not_billed():
    error = {"type": "invalid_request_error", "code": "DeploymentNotFound", "message": "none"}
    _, told = ask(answering({"error": error}, 404))
    assert (told.kind, told.retryable) == ("not_found", False)
    assert told.code not in make().facts.billed_errors


def test_answer_headers_come_back():
    headers = {"apim-request-id": "1", "x-ms-region": "East US 2", "azureml-model-session": "d0"}
    _, reply, _ = ask(answering(headers=headers))
    assert dict(reply.headers) == {"apim-request-id": "1", "x-ms-region": "East US 2"}


@pytest.mark.parametrize(
    ("named", "models"),
    [
        ({}, [ModelInfo("gpt-4o-2024-11-20", "azure")]),
        (
            {"deployments": {"gpt-4o": "global"}, "base_models": {"mine": "gpt-4o"}},
            [
                ModelInfo("gpt-4o", "azure", owned_by="azure"),
                ModelInfo("mine", "azure", owned_by="azure"),
            ],
        ),
    ],
)
def test_the_model_list_is_of_deployments_where_they_are_named(named, models):
    upstream = answering({"data": [{"id": "gpt-4o-2024-11-20", "status": "succeeded"}]})
    found = []

    async def test():
        async with Wire(transport=upstream.transport()) as wire:
            item = make(wire, **named)
            found.extend(await item.models(Credential("c", Secret("sk-azure"))))

    anyio.run(test)
    assert found == models
    assert upstream.last.target == "/openai/v1/models"


def test_a_deployment_is_known_by_its_bare_name():
    item = make(deployments={"gpt-4o": "global"})
    assert (item.knows("gpt-4o"), item.knows("gpt-4o-mini")) == (True, False)


def test_what_a_deployment_can_do_is_known_by_the_model_behind_it():
    item = make(base_models={"mine": "gpt-4o"})
    assert item.describe("mine") == item.describe("gpt-4o")
    assert item.describe("mine").context_window == 128_000
    assert item.describe("yours") is None
    assert item.knows("mine")
    assert not item.knows("gpt-4o")
