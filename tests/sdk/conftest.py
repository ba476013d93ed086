"""The official SDKs as clients: of the gateway, and of the replaying upstream itself."""

from __future__ import annotations

import inspect
import json

import anthropic
import httpx
import httpx2
import openai
import pytest
from anthropic.resources.beta.messages import AsyncMessages as AnthropicBetaMessages
from anthropic.resources.messages import AsyncMessages as AnthropicMessages
from attrs import evolve
from google.genai import Client as GenaiClient
from google.genai import errors as genai_errors
from google.genai.types import HttpOptions
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.resources.chat.completions import AsyncCompletions
from openai.resources.responses import AsyncResponses

from flo2 import hookimpl
from flo2.testing.replay import Stage, staged
from flo2_provider_openai import OpenAI


def arguments(method, request: dict) -> dict:
    """Give a request's JSON as the method's arguments; what it has no name for goes beside them."""
    known = inspect.signature(method).parameters.keys()
    given = {key: value for key, value in request.items() if key in known}
    rest = {key: value for key, value in request.items() if key not in known}
    return {**given, "extra_body": rest} if rest else given


def told(error: Exception) -> tuple:
    """Say what an SDK's exception says to whoever catches it."""
    name = type(error).__name__
    if isinstance(error, openai.APIStatusError | anthropic.APIStatusError):
        return name, error.status_code, error.body, error.message
    if isinstance(error, openai.APIError | anthropic.APIError):
        return name, None, error.body, error.message
    return name, None, None, str(error)


def dumped(model) -> dict:
    # What the types do not know is compared as it came.
    return model.model_dump(mode="json", warnings=False)


class SDK:
    """One SDK's client, and what it put on the wire and took from it.

    Attributes:
        sent: The JSON of each request it sent, retries included.
        requests: The requests themselves.
        answer: The newest answer; its body only where the SDK read it whole.
    """

    def __init__(self):
        hooks = {"request": [self._note_request], "response": [self._note_answer]}
        self.http = httpx2.AsyncClient(event_hooks=hooks, timeout=30)
        self.requests, self.answer = [], None

    async def _note_request(self, request):
        self.requests.append(request)

    async def _note_answer(self, answer):
        self.answer = answer

    @property
    def sent(self):
        return json.loads(self.requests[-1].content)

    @property
    def request_id(self):
        return self.answer.headers["x-flo2-request-id"]

    async def aclose(self):
        await self.http.aclose()

    async def read(self, opening) -> tuple[bytes, tuple | None]:
        """Give the whole body of an answer, and the exception where the SDK raised one."""
        try:
            async with opening as answer:
                return await answer.read(), None
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            return error.response.content, told(error)


class OpenAISDK(SDK):
    surface = "openai"

    def __init__(self, base_url, key, **options):
        super().__init__()
        self.client = openai.AsyncOpenAI(
            base_url=base_url + "/v1", api_key=key, http_client=self.http, **options
        )
        self.create = self.client.chat.completions.create

    async def raw(self, request):
        create = self.client.chat.completions.with_streaming_response.create
        return await self.read(create(**arguments(AsyncCompletions.create, request)))

    async def result(self, request):
        """Give what the SDK makes of an answer: the whole completion, or the error it raises."""
        given = arguments(AsyncCompletions.create, request)
        try:
            if not request.get("stream"):
                return dumped(await self.client.chat.completions.create(**given))
            if helped(request):
                given.pop("stream")
                async with self.client.chat.completions.stream(**given) as events:
                    return dumped(await events.get_final_completion())
            return dumped((await self._accumulate(given)).get_final_completion())
        except (openai.OpenAIError, RuntimeError) as error:
            return told(error)

    async def _accumulate(self, given):
        state = ChatCompletionStreamState()
        async for chunk in await self.client.chat.completions.create(**given):
            state.handle_chunk(chunk)
        return state

    async def answer_to(self, request):
        """Give the completion, also one that was cut short, which `result` tells as an error."""
        given = arguments(AsyncCompletions.create, request)
        if request.get("stream"):
            return dumped((await self._accumulate(given)).current_completion_snapshot)
        return dumped(await self.client.chat.completions.create(**given))


def helped(request) -> bool:
    """Whether the SDK's stream helper takes a request: it refuses tools that are not strict."""
    tools = request.get("tools") or ()
    return all(tool.get("function", {}).get("strict") for tool in tools) and not (
        {"functions", "response_format"} & request.keys()
    )


class ResponsesSDK(SDK):
    """The same client, asking for Responses."""

    surface = "openai"

    def __init__(self, base_url, key, **options):
        super().__init__()
        self.client = openai.AsyncOpenAI(
            base_url=base_url + "/v1", api_key=key, http_client=self.http, **options
        )
        self.create = self.client.responses.create

    async def raw(self, request):
        create = self.client.responses.with_streaming_response.create
        return await self.read(create(**arguments(AsyncResponses.create, request)))

    async def result(self, request):
        """Give what the SDK makes of an answer: the whole response, or the error it raises."""
        try:
            if not request.get("stream"):
                given = arguments(AsyncResponses.create, request)
                return dumped(await self.client.responses.create(**given))
            asked = {key: value for key, value in request.items() if key != "stream"}
            given = arguments(AsyncResponses.stream, asked)
            async with self.client.responses.stream(**given) as events:
                return dumped(await events.get_final_response())
        except (openai.OpenAIError, RuntimeError) as error:
            return told(error)

    async def events(self, request):
        """Give every event of a stream, and the exception where it ends with one."""
        seen = []
        stream = await self.client.responses.create(**arguments(AsyncResponses.create, request))
        try:
            async for event in stream:
                seen += [dumped(event)]
        except openai.OpenAIError as error:
            return seen, told(error)
        return seen, None


class AnthropicSDK(SDK):
    surface = "anthropic"

    def __init__(self, base_url, key, *, beta=False, **options):
        super().__init__()
        self.client = anthropic.AsyncAnthropic(
            base_url=base_url, api_key=key, http_client=self.http, timeout=30, **options
        )
        self.messages = self.client.beta.messages if beta else self.client.messages
        self.create = self.messages.create
        self._methods = AnthropicBetaMessages if beta else AnthropicMessages

    async def raw(self, request):
        create = self.messages.with_streaming_response.create
        return await self.read(create(**arguments(self._methods.create, request)))

    async def result(self, request):
        """Give what the SDK makes of an answer: the whole message, or the error it raises."""
        try:
            if not request.get("stream"):
                given = arguments(self._methods.create, request)
                return dumped(await self.messages.create(**given))
            given = {key: value for key, value in request.items() if key != "stream"}
            async with self.messages.stream(**arguments(self._methods.stream, given)) as events:
                return dumped(await events.get_final_message())
        except (anthropic.AnthropicError, AssertionError) as error:  # its own assert: no message
            return told(error)

    answer_to = result


class Genai:
    """Google's SDK, and what it sent and got."""

    def __init__(self, base_url, key, **options):
        self.sent = self.answer = None
        self.http = httpx.AsyncClient(
            event_hooks={"request": [self._note_request], "response": [self._note_answer]},
            timeout=30,
        )
        options = HttpOptions(base_url=base_url, httpx_async_client=self.http, **options)
        self.client = GenaiClient(api_key=key, http_options=options)
        self.models = self.client.aio.models

    async def _note_request(self, request):
        self.sent = request

    async def _note_answer(self, answer):
        self.answer = answer

    @property
    def request_id(self):
        return self.answer.headers["x-flo2-request-id"]

    async def result(self, model, contents, config=None, *, stream=False):
        """Give what the SDK makes of an answer: all of its chunks, or the error it raises."""
        given = {"model": model, "contents": contents, "config": config}
        seen = []
        try:
            if not stream:
                return [_answered(await self.models.generate_content(**given))]
            async for chunk in await self.models.generate_content_stream(**given):
                seen += [_answered(chunk)]
        except genai_errors.APIError as error:
            return (type(error).__name__, error.code, error.status, error.message)
        return seen


def _answered(answer):
    return answer.model_dump(mode="json", exclude={"sdk_http_response"}, warnings=False)


@pytest.fixture(scope="module")
async def genai():
    """Make clients of any address, closed with the module."""
    made = []

    def make(base_url, key, **options):
        made.append(Genai(base_url, key, **options))
        return made[-1]

    yield make
    for sdk in made:
        await sdk.http.aclose()


@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"


class ChatsOnly(OpenAI):
    """OpenAI by chat completions alone: a translated call would go to Responses first."""

    kind = "openai-chats"
    facts = evolve(
        OpenAI.facts,
        dialects=tuple(each for each in OpenAI.facts.dialects if each.api != "responses"),
    )

    def __init__(self, config, services):
        super().__init__(config, services)
        self.kind = OpenAI.kind  # its prices


class Chats:
    """The plugin of it."""

    @hookimpl
    def flo2_register_providers(self, register):
        register(ChatsOnly)


@pytest.fixture(scope="module")
async def stage(anyio_backend):
    def providers(url):
        return {
            "openai": {"kind": "openai-chats", "base_url": f"{url}/v1"},
            "anthropic": {"kind": "anthropic", "base_url": url},
        }

    async with staged(providers, plugins={"chats": Chats()}) as made:
        yield made


@pytest.fixture(scope="module")
async def wide_stage(anyio_backend):
    """A gateway of every dialect: OpenAI with all it has, and one host that has chats alone."""

    def providers(url):
        return {
            "openai": {"kind": "openai", "base_url": f"{url}/v1"},
            "anthropic": {"kind": "anthropic", "base_url": url},
            "google": {"kind": "google", "base_url": f"{url}/v1beta"},
            "mistral": {"kind": "mistral", "base_url": f"{url}/v1"},
            "groq": {"kind": "groq", "base_url": f"{url}/openai/v1"},
        }

    async with staged(providers) as made:
        yield made


KINDS = {"openai": OpenAISDK, "anthropic": AnthropicSDK, "responses": ResponsesSDK}


@pytest.fixture(scope="module")
async def clients():
    """Make clients of any address, closed with the module."""
    made = []

    def make(kind, base_url, key, **options):
        made.append(KINDS[kind](base_url, key, **options))
        return made[-1]

    yield make
    for sdk in made:
        await sdk.aclose()


@pytest.fixture(scope="module")
async def sdks(stage: Stage, clients):
    """Make clients of the gateway."""

    def make(kind, base_url=stage.url, key=stage.key, **options):
        return clients(kind, base_url, key, **options)

    return make


@pytest.fixture(scope="module")
async def openai_sdk(sdks):
    return sdks("openai")


@pytest.fixture(scope="module")
async def anthropic_sdk(sdks):
    return sdks("anthropic")


@pytest.fixture(scope="module")
async def anthropic_beta_sdk(sdks):
    return sdks("anthropic", beta=True)


@pytest.fixture(scope="module")
def by_surface(openai_sdk, anthropic_sdk):
    return {"openai": openai_sdk, "anthropic": anthropic_sdk}


@pytest.fixture(scope="module")
async def direct_openai(sdks, stage):
    """Speaks to the upstream itself, so that its reading of an answer is the measure."""
    return sdks("openai", stage.upstream_url, "none", max_retries=0)


@pytest.fixture(scope="module")
async def direct_anthropic(sdks, stage):
    return sdks("anthropic", stage.upstream_url, "none", max_retries=0)


@pytest.fixture(scope="module")
async def direct_anthropic_beta(sdks, stage):
    return sdks("anthropic", stage.upstream_url, "none", beta=True, max_retries=0)
