"""Whom a call is for, on every surface: what its body and headers say, and what its key allows."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from attrs import evolve

from flo2.dialects.anthropic_messages import AnthropicCountTokens, AnthropicMessages
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat
from flo2.dialects.openai_completions import OpenAICompletions
from flo2.dialects.openai_embeddings import OpenAIEmbeddings
from flo2.dialects.openai_images import OpenAIImages
from flo2.dialects.openai_responses import OpenAIInputTokens, OpenAIResponses
from flo2.stored import AttributionRules, LabelRule
from flo2.testing.harness import running
from flo2.testing.paid import Paid

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/acme%2Fm:generateContent"
HI = [{"role": "user", "content": "hi"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hi"}]}]
PAIRS = {"env": "test", "run": "7"}


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        (OpenAIChat, {"messages": HI, "user": "u", "metadata": PAIRS}, ("u", PAIRS)),
        (OpenAIChat, {"messages": HI, "safety_identifier": "s"}, ("s", None)),
        (OpenAIChat, {"messages": HI, "user": "u", "safety_identifier": "s"}, ("u", None)),
        (
            OpenAIChat,
            {"messages": HI, "user": 7, "metadata": {"n": 1, "t": "x"}},
            (None, {"t": "x"}),
        ),
        (OpenAIChat, {"messages": HI, "metadata": {}}, (None, None)),
        (OpenAIChat, {"messages": HI, "metadata": [1]}, (None, None)),
        (OpenAIChat, {"messages": HI, "metadata": None}, (None, None)),
        (OpenAIResponses, {"input": "hi", "user": "u", "metadata": PAIRS}, ("u", PAIRS)),
        (OpenAIResponses, {"input": "hi", "safety_identifier": "s"}, ("s", None)),
        (OpenAIInputTokens, {"input": "hi", "metadata": PAIRS}, (None, PAIRS)),
        (OpenAICompletions, {"prompt": "hi", "user": "u"}, ("u", None)),
        (OpenAIEmbeddings, {"input": "hi", "user": "u"}, ("u", None)),
        (OpenAIImages, {"prompt": "hi", "user": "u"}, ("u", None)),
        (
            AnthropicMessages,
            {"messages": HI, "max_tokens": 9, "metadata": {"user_id": "u"}},
            ("u", None),
        ),
        (
            AnthropicMessages,
            {"messages": HI, "max_tokens": 9, "metadata": {"user_id": "u", **PAIRS}},
            ("u", PAIRS),
        ),
        (AnthropicCountTokens, {"messages": HI, "metadata": {"user_id": "u"}}, ("u", None)),
        (Gemini, {"contents": CONTENTS, "labels": PAIRS}, (None, PAIRS)),
        (Gemini, {"contents": CONTENTS, "labels": PAIRS, "generation_config": {}}, (None, PAIRS)),
        (Gemini, {"contents": CONTENTS}, (None, None)),
    ],
)
def test_every_surface_reads_its_own_fields_by_a_peek(dialect, body, expected):
    peek = dialect().peek(json.dumps({"model": "m", **body}).encode())
    assert (peek.end_user, peek.metadata) == expected


def test_metadata_that_is_no_text_inside_attributes_nothing():
    """A peek skips over what is deep; a second look must not trip over it."""
    begin = b'{"model": "m", "messages": [1], "metadata": {"a": '
    deep = begin + b"[" * 500 + b"]" * 500 + b"}}"
    assert OpenAIChat().peek(deep).metadata is None


@asynccontextmanager
async def stage(rules=None, **changes):
    config = {"plugins": {"only": ["strategy-basic"]}, "pricing": {"paid": {}}}
    async with running(config, plugins={"paid": Paid()}) as house:
        house.gateway.store.put_key(evolve(house.issued, attribution=rules, **changes))
        await house.gateway.refresh(force=True)
        yield house


def ask(**more):
    return {"model": "acme/m", "messages": HI, "max_tokens": 9, **more}


async def test_headers_go_before_metadata_and_metadata_before_the_keys_own_tags():
    async with stage(tags={"env": "key", "job": "key", "own": "key"}, team="red") as house:
        body = ask(user="u", metadata={"env": "body", "job": "body", "run": "body"})
        said = {"x_flo2_tags": "env=header", "x_flo2_customer": "acme", "x_flo2_feature": "chat"}
        assert (await house.post(CHAT, body, **said, x_flo2_team="blue")).status == 200
        (entry,) = await house.entries()
        whom = entry.intent.attribution
        assert (whom.team, whom.feature, whom.customer, whom.end_user) == (
            "red",
            "chat",
            "acme",
            "u",
        )
        assert whom.tags == {"env": "header", "job": "body", "own": "key", "run": "body"}


async def test_what_the_provider_takes_is_not_refused_for_being_long():
    async with stage() as house:
        pairs = {f"k{number}": "v" * 512 for number in range(16)}
        pairs["long"] = "v" * 9999
        assert (await house.post(CHAT, ask(user="u" * 300, metadata=pairs))).status == 200
        (entry,) = await house.entries()
        assert entry.intent.attribution.end_user == "u" * 256
        assert entry.intent.attribution.tags == {k: v for k, v in pairs.items() if k != "long"}


RULES = AttributionRules(
    feature=LabelRule(required=True),
    customer=LabelRule("acme", ("acme", "glob*")),
    end_user=LabelRule(allowed=("u-*",)),
    tags={"env": LabelRule(allowed=("test", "prod"), required=True)},
    other_tags=False,
)


async def test_a_call_that_keeps_the_rules_is_written_down_with_its_defaults():
    async with stage(RULES) as house:
        said = {"x_flo2_feature": "chat", "x_claude_code_session_id": "s1"}
        answer = await house.post(CHAT, ask(metadata={"env": "test"}), **said)
        assert answer.status == 200
        (entry,) = await house.entries()
        whom = entry.intent.attribution
        assert (whom.feature, whom.customer, whom.tags) == (
            "chat",
            "acme",
            {"env": "test", "session": "s1"},
        )


@pytest.mark.parametrize(
    ("said", "body", "code", "param", "words"),
    [
        (
            {"x_flo2_feature": ""},
            {},
            "attribution_required",
            "x-flo2-feature",
            "this key's calls must say their feature: send the header x-flo2-feature",
        ),
        (
            {"x_flo2_customer": "evil"},
            {},
            "attribution_not_allowed",
            "x-flo2-customer",
            (
                "this key's calls may not say customer 'evil'; allowed: acme, glob* "
                "(header x-flo2-customer)"
            ),
        ),
        (
            {"x_flo2_tags": "run=1"},
            {},
            "attribution_required",
            "x-flo2-tags",
            (
                "this key's calls must say their tag 'env': send the header x-flo2-tags: env=… (or "
                "'env' in the body's metadata); allowed: test, prod"
            ),
        ),
        (
            {"x_flo2_tags": "env=dev"},
            {},
            "attribution_not_allowed",
            "x-flo2-tags",
            (
                "this key's calls may not say tag 'env' 'dev'; allowed: test, prod (header "
                "x-flo2-tags: env=… (or 'env' in the body's metadata))"
            ),
        ),
        (
            {},
            {"metadata": {"env": "test", "run": "1"}},
            "attribution_not_allowed",
            "x-flo2-tags",
            (
                "this key's calls may not state the tag 'run' (headers or metadata); tags they may "
                "state: env"
            ),
        ),
        (
            {},
            {"user": "somebody"},
            "attribution_not_allowed",
            "user",
            (
                "this key's calls may not say end user 'somebody'; allowed: u-* (body's field "
                "'user' ('metadata.user_id' where the API has that))"
            ),
        ),
    ],
)
async def test_a_call_that_breaks_a_rule_is_told_which(said, body, code, param, words):
    async with stage(RULES) as house:
        given = {"x_flo2_feature": "chat", "x_flo2_tags": "env=test", **said}
        if "metadata" in body:
            del given["x_flo2_tags"]
        answer = await house.post(CHAT, ask(**body), **given)
        assert (answer.status, json.loads(answer.body)["error"]) == (
            400,
            {"message": words, "type": "invalid_request_error", "param": param, "code": code},
        )
        assert await house.entries() == []


async def test_each_surface_refuses_in_its_own_envelope():
    async with stage(AttributionRules(customer=LabelRule(required=True))) as house:
        answer = await house.post(MESSAGES, ask())
        told = json.loads(answer.body)
        assert (answer.status, told["type"], told["error"]["type"]) == (
            400,
            "error",
            "invalid_request_error",
        )
        answer = await house.post(GEMINI, {"contents": CONTENTS})
        told = json.loads(answer.body)["error"]
        assert (answer.status, told["status"], told["details"][0]["reason"]) == (
            400,
            "INVALID_ARGUMENT",
            "attribution_required",
        )
        assert (await house.post(GEMINI, {"contents": CONTENTS}, x_flo2_customer="a")).status == 200


async def test_a_call_from_python_is_held_to_the_same_rules():
    async with stage(AttributionRules(tags={"env": LabelRule(required=True)})) as house:
        key = house.gateway.recognise(house.key)
        request = ask(metadata={"env": "test"})
        async with house.gateway.chat(request, key=key) as answer:
            await answer.response()
        (entry,) = await house.entries()
        assert entry.intent.attribution.tags == {"env": "test"}
