"""The official SDKs of Mistral and Groq, with base URL and key changed and nothing else."""

from __future__ import annotations

import json
import random

import groq
import httpx
import pytest
from attrs import evolve
from mistralai.client import Mistral, errors
from mistralai.client.models import File

from flo2.records import Pend, Void
from flo2.testing.traces import golden_traces, recorded_traces

pytestmark = pytest.mark.anyio

SEED, SAMPLE = 2026, 40
CHAT = {trace.name: trace for trace in golden_traces("openai_chat")}
ANTHROPIC = {trace.name: trace for trace in golden_traces("anthropic_messages")}
PATHS = {"mistral": "/v1/chat/completions", "groq": "/openai/v1/chat/completions"}
HELLO = [{"role": "user", "content": "Hello"}]
# Answers that are no answers of this API, or that do not end as one must.
ODD = {
    "ai-groq-groq-transcription-text-1cb02c-0": "a transcript under the path of chats",
    "pydantic-ai-test-groq-test-tool-use-failed-error-streaming-06df2e-0": "an error in a stream",
}


def chats(provider):
    found = [
        trace
        for trace in recorded_traces(provider)
        if trace.endpoint == PATHS[provider] and trace.name not in ODD
    ]
    short = random.Random(SEED).sample(found, min(SAMPLE, len(found)))
    return pytest.mark.parametrize(
        "trace",
        [
            pytest.param(trace, id=trace.name, marks=() if trace in short else pytest.mark.deep)
            for trace in found
        ],
    )


@pytest.fixture(autouse=True)
def nothing_left_over(wide_stage):
    yield
    wide_stage.upstream.forget()


class Caller:
    """One SDK's client; `told` is all that it makes of an answer, `body` what it took for it."""

    def __init__(self, base_url, key):
        self.answer, self.sent = None, None
        self.http = httpx.AsyncClient(
            event_hooks={"request": [self._note_request], "response": [self._note_answer]},
            timeout=30,
        )
        self.client = self.make(base_url, key)

    async def _note_request(self, request):
        self.sent = request

    async def _note_answer(self, answer):
        self.answer = answer

    @property
    def request_id(self):
        return self.answer.headers["x-flo2-request-id"]


class MistralCaller(Caller):
    def make(self, base_url, key):
        return Mistral(api_key=key, server_url=base_url, async_client=self.http)

    async def told(self, request):
        given = {key: value for key, value in request.items() if key != "stream"}
        try:
            if not request.get("stream"):
                answer = await self.client.chat.complete_async(**given)
                return answer.model_dump(mode="json", warnings=False)
            stream = await self.client.chat.stream_async(**given)
            return [event.data.model_dump(mode="json", warnings=False) async for event in stream]
        except errors.MistralError as error:
            return type(error).__name__, error.status_code, error.body


class GroqCaller(Caller):
    def make(self, base_url, key):
        return groq.AsyncGroq(api_key=key, base_url=base_url, http_client=self.http, max_retries=0)

    async def told(self, request):
        try:
            answer = await self.client.chat.completions.create(**request)
            if not request.get("stream"):
                return answer.model_dump(mode="json", warnings=False)
            return [chunk.model_dump(mode="json", warnings=False) async for chunk in answer]
        except groq.APIStatusError as error:
            return type(error).__name__, error.status_code, error.response.text


@pytest.fixture(scope="module")
async def callers(wide_stage):
    """Give both SDKs, of the gateway and of the upstream itself."""
    addresses = ((wide_stage.url, wide_stage.key), (wide_stage.upstream_url, "none"))
    made = {"mistral": [MistralCaller(*each) for each in addresses]}
    made["groq"] = [GroqCaller(*each) for each in addresses]
    yield made
    for pair in made.values():
        for each in pair:
            await each.http.aclose()


@pytest.fixture(scope="module")
async def mistral(callers):
    return callers["mistral"][0]


@pytest.fixture(scope="module")
async def groq_sdk(callers):
    return callers["groq"][0]


# On their own provider ----------------------------------------------------------------------------


async def the_same_as_from_the_provider(provider, trace, stage, callers):
    mine, direct = callers[provider]
    request = {"model": f"{provider}/m", "messages": HELLO, "stream": trace.stream}
    if trace.stream and provider == "groq":  # whose SDK has no name for what who asks not gets not
        request["extra_body"] = {"stream_options": {"include_usage": True}}
    before = len(stage.arrived())
    stage.play(trace)
    seen = await mine.told(request)
    (arrived,) = stage.arrived(before)
    assert arrived.path == PATHS[provider]
    stage.play(trace)
    theirs = await direct.told({**request, "model": "m"})
    call = await stage.call(mine.request_id)
    (entry,) = call.entries
    if trace.status != 200:
        # Groq does not say whether it bills what its model wrote and no tool could take.
        written = b"tool_use_failed" in trace.body
        assert isinstance(entry.end, Pend if written else Void)
        assert seen[:2] == theirs[:2]
        return
    assert seen == theirs
    assert entry.status in {"settled", "unpriced", "pending"}


@chats("mistral")
async def test_mistral_reads_what_it_reads_from_mistral(trace, wide_stage, callers, count_replay):
    count_replay("sdk replays")
    await the_same_as_from_the_provider("mistral", trace, wide_stage, callers)


@chats("groq")
async def test_groq_reads_what_it_reads_from_groq(trace, wide_stage, callers, count_replay):
    count_replay("sdk replays")
    await the_same_as_from_the_provider("groq", trace, wide_stage, callers)


OWN_WORDS = {
    "messages": [*HELLO, {"role": "assistant", "content": "Bonj", "prefix": True}],
    "random_seed": 7,
    "safe_prompt": True,
    "prompt_mode": "reasoning",
    "tool_choice": "any",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
}


async def test_mistral_s_own_fields_survive_to_mistral(wide_stage, mistral):
    wide_stage.play(CHAT["plain_text"])
    await mistral.client.chat.complete_async(model="mistral/mistral-small-latest", **OWN_WORDS)
    sent = json.loads(mistral.sent.content)
    arrived = wide_stage.arrived()[-1].json()
    assert arrived == {**sent, "model": "mistral-small-latest"}
    assert arrived | OWN_WORDS == arrived


# On another provider ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "groq/llama-3.3-70b-versatile"])
async def test_mistral_s_words_are_everybody_s_at_another_host_of_chats(model, wide_stage, mistral):
    tools = OWN_WORDS["tools"]
    wide_stage.play(CHAT["plain_text"])
    answer = await mistral.client.chat.complete_async(
        model=model, messages=HELLO, random_seed=7, tool_choice="any", tools=tools
    )
    assert answer.choices[0].message.content
    arrived = wide_stage.arrived()[-1].json()
    assert arrived == {
        "model": model.partition("/")[2],
        "messages": HELLO,
        "stream": False,
        "seed": 7,
        "tool_choice": "required",
        "tools": tools,
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_mistral_on_anthropic(stream, wide_stage, mistral, count_replay):
    count_replay("sdk replays")
    wide_stage.play(ANTHROPIC["no_blank_line_at_the_end" if stream else "plain_with_everything"])
    told = await mistral.told(
        {
            "model": "anthropic/claude-haiku-4-5",
            "messages": HELLO,
            "tool_choice": "any",
            "tools": OWN_WORDS["tools"],
            "stream": stream,
        }
    )
    arrived = wide_stage.arrived()[-1]
    assert (arrived.path, arrived.json()["tool_choice"]) == ("/v1/messages", {"type": "any"})
    if stream:
        choices = [choice for chunk in told for choice in chunk["choices"]]
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        assert (text, choices[-1]["finish_reason"]) == ("Hi", "stop")
    else:
        assert told["choices"][0]["message"]["content"] == "Green."
        assert told["usage"]["total_tokens"] == 120


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"])
async def test_groq_on_another_provider(model, stream, wide_stage, groq_sdk, count_replay):
    count_replay("sdk replays")
    if model.startswith("openai"):
        wide_stage.play(CHAT["stream" if stream else "plain_text"])
    else:
        name = "no_blank_line_at_the_end" if stream else "plain_with_everything"
        wide_stage.play(ANTHROPIC[name])
    told = await groq_sdk.told({"model": model, "messages": HELLO, "stream": stream})
    if stream:
        choices = [choice for chunk in told for choice in chunk["choices"]]
        assert "".join(choice["delta"].get("content") or "" for choice in choices)
        assert choices[-1]["finish_reason"] == "stop"
    else:
        assert told["choices"][0]["message"]["content"]
        assert told["usage"]["total_tokens"] > 0


# Beside the calls ---------------------------------------------------------------------------------


async def test_both_list_the_models(wide_stage, mistral, groq_sdk):
    theirs = [model.id for model in (await groq_sdk.client.models.list()).data]
    cards = (await mistral.client.models.list_async()).data
    assert [card.id for card in cards] == theirs
    claude = next(card for card in cards if card.id == "anthropic/claude-haiku-4-5")
    assert claude.capabilities.completion_chat
    assert claude.capabilities.function_calling
    assert claude.capabilities.vision
    assert claude.max_context_length == 200_000
    one = await mistral.client.models.retrieve_async(model_id=claude.id)
    assert one == claude
    assert (await groq_sdk.client.models.retrieve(claude.id)).id == claude.id
    with pytest.raises(errors.SDKError):
        await mistral.client.models.retrieve_async(model_id="nothing")


async def test_both_embed(wide_stage, mistral, groq_sdk):
    (floats,) = (each for each in golden_traces("openai_embeddings") if each.name == "floats")
    # Mistral's SDK raises where an answer has no id; Mistral's have.
    wide_stage.upstream.reply(json={"id": "e1", **json.loads(floats.body)})
    answer = await mistral.client.embeddings.create_async(model="mistral/e", inputs="a blue whale")
    assert answer.data[0].embedding == [0.0123, -0.4567, 0.875]
    wide_stage.play(floats)
    answer = await groq_sdk.client.embeddings.create(model="openai/e", input="a blue whale")
    assert answer.data[0].embedding == [0.0123, -0.4567, 0.875]


async def test_both_transcribe(wide_stage, mistral, groq_sdk):
    body = {"text": "Hi.", "model": "m", "language": None, "segments": []}
    body["usage"] = {"prompt_audio_seconds": 1, "prompt_tokens": 4, "completion_tokens": 2}
    body["usage"]["total_tokens"] = 6
    wide_stage.upstream.reply(json=body)
    heard = await mistral.client.audio.transcriptions.complete_async(
        model="mistral/voxtral-mini-latest", file=File(content=b"RIFF", file_name="a.wav")
    )
    assert (heard.text, heard.usage.total_tokens) == ("Hi.", 6)
    wide_stage.upstream.reply(json={"text": "Hi.", "x_groq": {"id": "req_1"}})
    heard = await groq_sdk.client.audio.transcriptions.create(
        model="groq/whisper-large-v3", file=("a.wav", b"RIFF")
    )
    assert heard.text == "Hi."
    assert wide_stage.arrived()[-1].path == "/openai/v1/audio/transcriptions"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
async def test_errors_are_the_sdk_s_own(status, wide_stage, mistral, groq_sdk, count_replay):
    count_replay("sdk errors")
    classes = {
        400: groq.BadRequestError,
        401: groq.AuthenticationError,
        403: groq.PermissionDeniedError,
        404: groq.NotFoundError,
        422: groq.UnprocessableEntityError,
        429: groq.RateLimitError,
    }
    failed = evolve(CHAT["error_400"], status=status)
    wide_stage.play(failed)
    with pytest.raises(classes.get(status, groq.InternalServerError)) as caught:
        await groq_sdk.client.chat.completions.create(model="groq/m", messages=HELLO)
    assert caught.value.status_code == status
    wide_stage.play(failed)
    with pytest.raises(errors.MistralError) as told:
        await mistral.client.chat.complete_async(model="mistral/m", messages=HELLO)
    assert told.value.status_code == status
