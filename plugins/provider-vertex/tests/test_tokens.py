"""Service accounts: what is signed, where it goes, how long a token is kept."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs

import anyio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flo2 import (
    Call,
    Credential,
    Inbound,
    ProviderError,
    Secret,
    SecretError,
    Services,
    Wire,
    WireError,
)
from flo2.dialects.openai_chat import OpenAIChat
from flo2.testing import FakeUpstream
from flo2.testing.upstream import InProcess
from flo2_provider_vertex import Vertex
from flo2_provider_vertex.credentials import kind_of, read_service_account
from flo2_provider_vertex.gemini import VertexGemini

CHAT, GEMINI = OpenAIChat(), VertexGemini()
ASKED = b'{"model":"x","messages":[{"role":"user","content":"hi"}]}'
ANSWER = {
    "candidates": [{"content": {"parts": [{"text": "ho"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
}
NOW_S = 1_793_000_000
URI = "https://oauth2.googleapis.com/token"


def pem(key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def private_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def key_json(private_key):
    return a_key(private_key=pem(private_key))


def a_key(**fields) -> str:
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "project-of-the-key",
            "private_key_id": "kid1",
            "private_key": "-----BEGIN",
            "client_email": "robot@project.iam.example",
            "token_uri": URI,
            **fields,
        }
    )


class Google(FakeUpstream):
    """A scripted Google that also notes which host was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[str] = []
        self.clock_s = 100.0

    def token(self, text="ya29.one", seconds=3599, **options) -> None:
        self.reply(json={"access_token": text, "expires_in": seconds}, **options)

    def answer(self, status=200) -> None:
        self.reply(status, json=ANSWER)

    def transport(self):
        seen = self.hosts

        class Seeing(InProcess):
            async def send(self, address, *rest):
                seen.append(address.host)
                return await super().send(address, *rest)

        return Seeing(self)


def run(google, test, **options):
    async def with_provider():
        async with Wire(transport=google.transport()) as wire:
            services = Services(
                wire=wire, clock=lambda: google.clock_s, now_us=lambda: NOW_S * 1_000_000
            )
            await test(Vertex(Vertex.Config(**options), services))

    anyio.run(with_provider)


def a_call(secret, *, project=None):
    inbound = Inbound(CHAT, ASKED, CHAT.peek(ASKED))
    return Call(inbound, GEMINI, "gemini-2.5-pro", Credential("c", Secret(secret), project))


async def ask(provider, secret, **options):
    async with provider.chat(a_call(secret, **options)) as reply:
        return [chunk async for chunk in reply.chunks()]


def decoded(part: str):
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_an_assertion_is_exchanged_and_the_token_sent(private_key, key_json):
    google = Google()
    google.token()
    google.answer()
    run(google, lambda provider: ask(provider, key_json), location="europe-west4")
    exchange, call = google.requests
    assert google.hosts == ["oauth2.googleapis.com", "europe-west4-aiplatform.googleapis.com"]
    assert (exchange.method, exchange.target) == ("POST", "/token")
    assert exchange.headers["content-type"] == "application/x-www-form-urlencoded"
    form = parse_qs(exchange.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    header, claims, signature = form["assertion"][0].split(".")
    assert decoded(header) == {"alg": "RS256", "typ": "JWT", "kid": "kid1"}
    assert decoded(claims) == {
        "iss": "robot@project.iam.example",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": URI,
        "iat": NOW_S,
        "exp": NOW_S + 3600,
    }
    private_key.public_key().verify(
        urlsafe_b64decode(signature + "=="), f"{header}.{claims}".encode(), PKCS1v15(), SHA256()
    )
    assert call.headers["authorization"] == "Bearer ya29.one"
    assert call.target == (
        "/v1beta1/projects/project-of-the-key/locations/europe-west4"
        "/publishers/google/models/gemini-2.5-pro:generateContent"
    )
    assert "PRIVATE" not in str(google.requests)


def test_a_credential_s_project_comes_before_that_of_its_key(key_json):
    google = Google()
    google.token()
    google.answer()
    run(google, lambda provider: ask(provider, key_json, project="another"), project="configured")
    assert "/projects/another/" in google.last.target


@pytest.mark.parametrize(
    ("seconds", "good_for"), [(3599, 3299.0), (300, 150.0), (400, 200.0), (0, 0.0)]
)
def test_a_token_is_kept_until_five_minutes_before_its_end(key_json, seconds, good_for):
    google = Google()

    async def test(provider):
        google.token("ya29.one", seconds)
        first = await provider.tokens.of(key_json)
        google.token("ya29.two", seconds)
        if good_for:
            google.clock_s += good_for - 0.5
            assert await provider.tokens.of(key_json) is first
            google.clock_s += 0.5
        second = await provider.tokens.of(key_json)
        assert (first.secret, second.secret) == (Secret("ya29.one"), Secret("ya29.two"))

    run(google, test)
    assert len(google.requests) == 2


def test_many_calls_wait_for_one_exchange(key_json):
    google, gate = Google(), anyio.Event
    tokens = []

    async def test(provider):
        opened = gate()
        google.stream([opened, b'{"access_token":"ya29.one","expires_in":3599}'])

        async def one():
            tokens.append(await provider.tokens.of(key_json))

        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(one)
            await anyio.sleep(0.001)
            opened.set()

    run(google, test)
    assert len(google.requests) == 1
    assert [token.secret for token in tokens] == [Secret("ya29.one")] * 20


def test_a_cancelled_exchange_leaves_the_next_one_free(key_json):
    google = Google()

    async def test(provider):
        google.stream([], ends="hang")
        with anyio.move_on_after(0.002):
            await provider.tokens.of(key_json)
        google.token()
        assert (await provider.tokens.of(key_json)).secret == Secret("ya29.one")

    run(google, test)


def test_each_key_has_its_own_token(private_key, key_json):
    other = a_key(private_key=pem(private_key), client_email="other@project.iam.example")
    google = Google()

    async def test(provider):
        google.token("ya29.one")
        google.token("ya29.two")
        found = [await provider.tokens.of(key) for key in (key_json, other, key_json)]
        assert [token.secret for token in found] == [
            Secret("ya29.one"),
            Secret("ya29.two"),
            Secret("ya29.one"),
        ]

    run(google, test)


def test_a_token_that_is_refused_early_is_fetched_anew(key_json):
    google = Google()

    async def test(provider):
        google.token("ya29.one")
        google.answer(401)
        with pytest.raises(ProviderError) as refused:
            await ask(provider, key_json)
        assert refused.value.kind == "authentication"
        google.token("ya29.two")
        google.answer()
        await ask(provider, key_json)

    run(google, test)
    assert google.last.headers["authorization"] == "Bearer ya29.two"


def failing(google, key, kind=ProviderError):
    found = []

    async def test(provider):
        with pytest.raises(kind) as caught:
            await ask(provider, key)
        found.append(caught.value)

    run(google, test)
    assert "PRIVATE" not in repr(vars(found[0])) + str(found[0])
    return found[0]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_grant", "error_description": "x"}, (401, "authentication", False)),
        (401, {"error": {"code": 1}}, (401, "authentication", False)),
        (403, {}, (401, "authentication", False)),
        (503, {}, (503, "overloaded", True)),
        (429, {}, (429, "rate_limit", True)),
        (200, {}, (502, "upstream", True)),
        (200, {"access_token": "", "expires_in": 1}, (502, "upstream", True)),
        (200, [1], (502, "upstream", True)),
    ],
)
def test_no_token_is_an_error_of_the_provider(key_json, status, body, expected):
    google = Google()
    google.reply(status, json=body)
    error = failing(google, key_json)
    assert (error.status, error.kind, error.retryable) == expected
    assert error.provider == "google-vertex"
    assert "robot@project.iam.example" in error.message
    assert error.code == ("invalid_grant" if status == 400 else None)
    assert error.body == b""
    assert len(google.requests) == 1


def test_an_answer_that_quotes_the_assertion_is_not_repeated(key_json):
    google = Google()
    google.reply(400, json={"error": "eyJhbGciOi.eyJpc3Mi.sig", "error_description": "eyJh…"})
    error = failing(google, key_json)
    assert "eyJ" not in repr(vars(error)) + str(error)


@pytest.mark.parametrize("ends", ["refuse", "garbage", "reset"])
def test_a_broken_exchange_says_that_the_call_was_not_sent(key_json, ends):
    google = Google()
    google.reply(ends=ends, body=b"{}")
    error = failing(google, key_json, WireError)
    assert error.sent is False
    assert error.message.startswith("no access token for service account 'robot@")
    assert error.__cause__ is error.__context__ is None


@pytest.mark.parametrize(
    "token_uri",
    [
        "http://oauth2.googleapis.com/token",
        "https://oauth2.googleapis.com.evil.example/token",
        "https://oauth2.googleapis.com@evil.example/token",
        "https://evil.example/?x=oauth2.googleapis.com/token",
        "https://storage.googleapis.com/token",
        "https://oauth2.googleapis.com:8443/token",
        "http://169.254.169.254/computeMetadata/v1/",
        "",
        None,
    ],
)
def test_a_key_does_not_choose_where_it_goes(key_json, token_uri):
    google = Google()
    key = json.dumps({**json.loads(key_json), "token_uri": token_uri})
    error = failing(google, key, SecretError)
    assert "token_uri" in str(error)
    assert google.requests == []


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("{", "is JSON, but not a service account's key"),
        ('{"type":"authorized_user","refresh_token":"r"}', "not a service account's key"),
        (a_key(private_key=""), "has no 'private_key'"),
        (a_key(client_email=7), "has no 'client_email'"),
        (a_key(private_key="not PEM"), "is no RSA key in PEM"),
        (a_key(private_key=pem(ec.generate_private_key(ec.SECP256R1()))), "is no RSA key in PEM"),
    ],
)
def test_what_is_no_key_is_refused_before_anything_is_sent(key, says):
    google = Google()
    error = failing(google, key, SecretError)
    assert says in str(error)
    assert google.requests == []
    assert error.__cause__ is None


def test_forms_of_credentials():
    forms = {
        text: kind_of(text)
        for text in (
            ' {"type":',
            "ya29.a0AfH6SMB",
            "AIza" + "x" * 35,
            "AIza" + "x" * 34,
            "AQ." + "Ab8-" * 6,
        )
    }
    assert list(forms.values()) == [
        "service_account",
        "access_token",
        "api_key",
        "access_token",
        "api_key",
    ]


def test_a_key_does_not_show_itself(key_json):
    assert repr(read_service_account(key_json)) == (
        "ServiceAccount(email='robot@project.iam.example', key_id='kid1', "
        f"token_uri='{URI}', project='project-of-the-key')"
    )


def test_the_number_of_kept_tokens_is_bounded(private_key):
    google = Google()
    text = pem(private_key)

    async def test(provider):
        for i in range(1030):
            provider.tokens.forget(a_key(private_key=text, private_key_id=str(i)), None)
        assert len(provider.tokens._slots) == 1024

    run(google, test)
