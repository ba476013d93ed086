"""Hypothesis strategies of canonical values, cut to what a dialect can say.

A dialect's laws quantify over these: `requests(capabilities)` gives requests that it can write
without a loss, `answers()` the events of an answer in the order a provider sends them.
Imports: canonical, hypothesis.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any, Literal

from attrs import field, frozen
from hypothesis import strategies as st

from flo2.canonical import (
    Audio,
    CacheHint,
    Event,
    File,
    Finish,
    FinishReason,
    Image,
    Message,
    Part,
    PartDelta,
    PartStart,
    Reasoning,
    ReasoningOptions,
    Refusal,
    Request,
    ResponseFormat,
    Role,
    Sampling,
    Start,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Usage,
    UsageUpdate,
)

__all__ = ["Capabilities", "answers", "base64_data", "json_objects", "requests", "texts"]


@frozen
class Capabilities:
    """What a dialect can say.

    Attributes:
        origin: The dialect's name; it is the origin of requests and of reasoning.
        system_roles: Roles of the messages that instruct the model.
        names: Messages may carry a name.
        audio: Audio by value in user messages.
        files: Documents by value.
        refusals: Refusal parts in assistant messages.
        reasoning: Reasoning parts in assistant messages.
        signatures: Reasoning carries signatures.
        result_images: Tool results may hold images.
        result_errors: Tool results may say `is_error`.
        cache_hints: Texts may carry a cache mark.
        max_output_fields: Words for the bound on the answer.
        sampling: Names of the `Sampling` fields it has, the bound aside.
        response_formats: Kinds of response format.
        efforts: Words of reasoning effort.
        custom_tools: Tools of kind `custom`.
        end_user: There is a field for it.
    """

    origin: str
    system_roles: tuple[Role, ...] = ("system",)
    names: bool = False
    audio: bool = False
    files: bool = False
    refusals: bool = False
    reasoning: bool = False
    signatures: bool = False
    result_images: bool = False
    result_errors: bool = False
    cache_hints: bool = False
    max_output_fields: tuple[str, ...] = ("max_tokens",)
    sampling: frozenset[str] = field(default=frozenset({"temperature", "top_p", "stop"}))
    response_formats: tuple[str, ...] = ()
    efforts: tuple[str, ...] = ()
    custom_tools: bool = False
    end_user: bool = True


def texts(min_size: int = 0) -> st.SearchStrategy[str]:
    """Text that can stand in JSON in UTF-8, with the characters that break naive code."""
    awkward = st.sampled_from(
        ['"model"', "\\", "\n\n", "data: ", "é", "🎈", "\u2028", "[DONE]", "\x00"]
    )
    plain = st.text(st.characters(codec="utf-8"), max_size=12)
    joined = st.lists(plain | awkward, max_size=4).map("".join)
    return joined.filter(lambda text: len(text) >= min_size)


def words() -> st.SearchStrategy[str]:
    """Identifiers: names of tools, ids of calls."""
    return st.text("abcXYZ019_-", min_size=1, max_size=12)


def base64_data() -> st.SearchStrategy[str]:
    """Base64 text."""
    return st.sampled_from(["aGVsbG8=", "iVBORw0KGgo=", "AAAA"])


def json_objects() -> st.SearchStrategy[dict[str, Any]]:
    """Small JSON objects, such as schemas and unmodelled fields."""
    leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts()
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words(), inner, max_size=2),
    )
    return st.dictionaries(words(), values, max_size=3)


def _cache(can: Capabilities) -> st.SearchStrategy[CacheHint | None]:
    if not can.cache_hints:
        return st.none()
    return st.none() | st.sampled_from([None, "5m", "1h"]).map(CacheHint)


def _text_parts(can: Capabilities) -> st.SearchStrategy[Text]:
    return st.builds(Text, text=texts(1), cache=_cache(can))


def _images() -> st.SearchStrategy[Image]:
    by_value = st.builds(
        Image, data=base64_data(), media_type=st.sampled_from(["image/png", "image/jpeg"])
    )
    return by_value | st.builds(Image, url=st.just("https://example.com/cat.png"))


def _user_parts(can: Capabilities) -> st.SearchStrategy[Part]:
    kinds: list[st.SearchStrategy[Any]] = [_text_parts(can), _images()]
    if can.audio:
        kinds.append(st.builds(Audio, data=base64_data(), format=st.sampled_from(["wav", "mp3"])))
    if can.files:
        kinds.append(
            st.builds(
                File,
                data=base64_data(),
                media_type=st.just("application/pdf"),
                filename=words(),
            )
        )
    return st.one_of(kinds)


@st.composite
def _plain_or_parts(
    draw: st.DrawFn, parts: st.SearchStrategy[Part]
) -> tuple[tuple[Part, ...], bool]:
    if draw(st.booleans()):
        return (Text(draw(texts(1))),), True
    return tuple(draw(st.lists(parts, min_size=1, max_size=3))), False


@st.composite
def _user(draw: st.DrawFn, can: Capabilities) -> Message:
    content, plain = draw(_plain_or_parts(_user_parts(can)))
    name = draw(st.none() | words()) if can.names else None
    return Message("user", content, name, plain)


@st.composite
def _system(draw: st.DrawFn, can: Capabilities) -> Message:
    content, plain = draw(_plain_or_parts(_text_parts(can)))
    return Message(draw(st.sampled_from(can.system_roles)), content, plain=plain)


@st.composite
def _assistant(draw: st.DrawFn, can: Capabilities, call_ids: Sequence[str]) -> Message:
    parts: list[Part] = []
    if can.reasoning and draw(st.booleans()):
        signature = draw(words()) if can.signatures else None
        parts.append(Reasoning(draw(texts(1)), signature, origin=can.origin))
    plain = draw(st.booleans())
    content: list[Part] = [Text(draw(texts(1)))]
    if not plain:
        content = list(draw(st.lists(_text_parts(can), min_size=0 if call_ids else 1, max_size=2)))
    parts += content
    if can.refusals and not call_ids and draw(st.booleans()):
        parts.append(Refusal(draw(texts(1))))
    for call_id in call_ids:
        parts.append(ToolCall(call_id, draw(words()), json.dumps(draw(json_objects()))))
    return Message("assistant", tuple(parts), plain=plain)


@st.composite
def _result(draw: st.DrawFn, can: Capabilities, call_id: str) -> Message:
    inner = _text_parts(Capabilities(can.origin))
    parts = inner | _images() if can.result_images else inner
    content, plain = draw(_plain_or_parts(parts))
    is_error = draw(st.sampled_from([None, True])) if can.result_errors else None
    return Message("tool", (ToolResult(call_id, content, is_error, plain=plain),))


@st.composite
def _conversations(draw: st.DrawFn, can: Capabilities) -> tuple[Message, ...]:
    """A conversation as providers accept it: roles alternate, each call has its result."""
    messages: list[Message] = [draw(_system(can))] if draw(st.booleans()) else []
    messages.append(draw(_user(can)))
    for turn in range(draw(st.integers(0, 2))):
        call_ids = [f"call_{turn}_{n}" for n in range(draw(st.integers(0, 2)))]
        messages.append(draw(_assistant(can, call_ids)))
        messages += [draw(_result(can, call_id)) for call_id in call_ids]
        if not call_ids:
            messages.append(draw(_user(can)))
    return tuple(messages)


@st.composite
def _tools(draw: st.DrawFn, can: Capabilities) -> tuple[Tool, ...]:
    names = draw(st.lists(words(), max_size=3, unique=True))
    strict = st.sampled_from([None, True, False]) if can.efforts else st.none()
    tools = [
        Tool(
            name,
            draw(st.none() | texts()),
            {"type": "object", **draw(json_objects())},
            draw(strict),
        )
        for name in names
    ]
    if tools and can.custom_tools and draw(st.booleans()):
        tools.append(Tool("shell", "Run it.", kind="custom"))
    return tuple(tools)


def _sampling(can: Capabilities) -> st.SearchStrategy[Sampling]:
    fractions = st.none() | st.sampled_from([0, 0.5, 1, 1.25])
    counts = st.none() | st.integers(1, 5)
    fields: dict[str, st.SearchStrategy[Any]] = {
        "temperature": fractions,
        "top_p": fractions,
        "presence_penalty": fractions,
        "frequency_penalty": fractions,
        "top_k": counts,
        "seed": counts,
        "n": counts,
        "top_logprobs": counts,
        "logprobs": st.sampled_from([None, True, False]),
        "logit_bias": st.none() | st.just({"50256": -100}),
        "stop": st.lists(texts(1), max_size=3).map(tuple),
    }
    bound = st.just((None, None)) | st.tuples(
        st.integers(1, 4096), st.sampled_from(can.max_output_fields)
    )
    return st.builds(
        lambda limit, chosen: Sampling(
            max_output_tokens=limit[0], max_output_field=limit[1], **chosen
        ),
        bound,
        st.fixed_dictionaries({key: each for key, each in fields.items() if key in can.sampling}),
    )


@st.composite
def _formats(draw: st.DrawFn, can: Capabilities) -> ResponseFormat | None:
    if not can.response_formats or draw(st.booleans()):
        return None
    kind = draw(st.sampled_from(can.response_formats))
    if kind == "json_schema":
        return ResponseFormat("json_schema", "shape", {"type": "object"}, draw(st.booleans()))
    return ResponseFormat("json_object" if kind == "json_object" else "text")


@st.composite
def requests(draw: st.DrawFn, can: Capabilities) -> Request:
    """Requests that the dialect can write without any loss."""
    tools = draw(_tools(can))
    functions = [tool.name for tool in tools if tool.kind == "function"]
    modes: tuple[Literal["auto", "none", "required"], ...] = ("auto", "none", "required")
    choices = st.sampled_from([ToolChoice(mode) for mode in modes])
    if functions:
        choices |= st.sampled_from([ToolChoice("tool", name) for name in functions])
    effort = draw(st.sampled_from((None, *can.efforts)))
    stream = draw(st.sampled_from([None, True, False]))
    return Request(
        model=draw(words()),
        messages=draw(_conversations(can)),
        tools=tools,
        tool_choice=draw(st.none() | choices) if tools else None,
        parallel_tool_calls=draw(st.sampled_from([None, True, False])) if tools else None,
        response_format=draw(_formats(can)),
        sampling=draw(_sampling(can)),
        reasoning=ReasoningOptions(effort=effort) if effort else None,
        stream=stream,
        end_user=draw(st.none() | words()) if can.end_user else None,
        origin=can.origin,
    )


def _pieces(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges) if a < b]


@st.composite
def answers(
    draw: st.DrawFn,
    can: Capabilities,
    *,
    finishes: tuple[tuple[FinishReason, str], ...] = (("stop", "stop"), ("length", "length")),
    usage: Usage | None = None,
) -> list[Event]:
    """The events of an answer with one choice: reasoning, text, then tool calls.

    Args:
        draw: Given by Hypothesis.
        can: The dialect.
        finishes: Reasons and the provider's words for them.
        usage: What the last event says, or None for no such event.
    """
    events: list[Event] = [
        Start(draw(words()), draw(words()), draw(st.integers(1, 2**31)), origin=can.origin)
    ]
    parts: list[tuple[Part, str]] = []
    if can.reasoning and draw(st.booleans()):
        parts.append((Reasoning(origin=can.origin), draw(texts(1))))
    if draw(st.booleans()):
        parts.append((Text(""), draw(texts(1))))
    for number in range(draw(st.integers(0, 2))):
        call = ToolCall(f"call_{number}", draw(words()), "")
        parts.append((call, json.dumps(draw(json_objects()))))
    for index, (part, text) in enumerate(parts):
        events.append(PartStart(index, part))
        pieces = _pieces(text, draw(st.lists(st.integers(1, 40), max_size=4)))
        events += [PartDelta(index, piece) for piece in pieces]
    reason, raw = draw(st.sampled_from(finishes))
    events.append(Finish(reason, raw))
    if usage is not None:
        events.append(UsageUpdate(usage))
    return events
