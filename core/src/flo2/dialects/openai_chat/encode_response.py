"""Write a whole answer as a Chat Completions object. Imports: canonical, base."""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import evolve

from flo2.canonical import (
    Audio,
    Choice,
    Image,
    Loss,
    Opaque,
    Reasoning,
    Refusal,
    Response,
    Text,
    ToolCall,
)
from flo2.dialects.base import Rendered
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.free_text import free_text_of, free_text_tools
from flo2.dialects.openai_chat.aside import aside_fields
from flo2.dialects.openai_chat.encode_state import reasoning_fields
from flo2.dialects.openai_chat.usage import DIALECT, write_usage
from flo2.dialects.openai_chat.words import (
    annotation_of,
    finish_word,
    image_of,
    join_logprobs,
    logprobs_of,
)

__all__ = ["encode_response"]

_JSON = dict[str, Any]


def encode_response(response: Response) -> Rendered:
    """Encode a plain answer for a client."""
    losses: list[Loss] = []
    own = response.origin == DIALECT
    free_text = frozenset[str]() if own else free_text_tools(response.asked)
    body: _JSON = {
        "id": response.id,
        "object": "chat.completion",
        "created": response.created,
        "model": response.model,
        "choices": [
            _choice(number, choice, losses, free_text, own=own)
            for number, choice in enumerate(response.choices)
        ],
    }
    if response.usage is not None:
        body["usage"] = write_usage(response.usage)
        if response.usage.dialect == DIALECT and "service_tier" in response.usage.context:
            body["service_tier"] = response.usage.context["service_tier"]
    if own:
        body = {**response.extras, **body}
    return Rendered(msgspec.json.encode(body), tuple(losses))


def _choice(
    number: int, choice: Choice, losses: list[Loss], free_text: frozenset[str], *, own: bool
) -> _JSON:
    message = _message(number, choice, losses, free_text, own=own)
    path = f"choices[{number}].logprobs"
    logprobs = (logprobs_of(data, path, losses, own=own) for data in choice.logprobs)
    reason = choice.finish
    word = (
        finish_word(reason, choice.finish_raw, choice.stop_sequence, losses)
        if reason is not None
        else None
    )
    written: _JSON = {
        "index": number,
        "message": message,
        "logprobs": join_logprobs(each for each in logprobs if each is not None),
        "finish_reason": word,
    }
    return {**choice.extras, **written} if own else written


def _message(
    number: int, choice: Choice, losses: list[Loss], free_text: frozenset[str], *, own: bool
) -> _JSON:
    message: _JSON = {"role": "assistant", "content": None, "refusal": None}
    texts: list[str] = []
    notes: list[_JSON] = []
    opaque: list[Any] = []
    calls: list[_JSON] = []
    for index, part in enumerate(choice.parts):
        path = f"choices[{number}].parts[{index}]"
        match part:
            case Text():
                start = sum(map(len, texts))
                texts.append(part.text)
                end = start + len(part.text)
                found = (
                    annotation_of(each, start, end, f"{path}.citations", losses, own=own)
                    for each in part.citations
                )
                notes += [each for each in found if each is not None]
            case Refusal():
                message["refusal"] = (message["refusal"] or "") + part.text
            case ToolCall():
                _put_call(message, calls, part, free_text)
            case Reasoning():
                _reasoning(message, part, path, losses)
            case Audio():
                message["audio"] = _audio(part, own=own)
            case Image(file_id=None):
                _put_image(message, part)
            case Opaque() if (aside := aside_fields(part)) is not None:
                message |= {key: value for key, value in aside.items() if key not in message}
            case Opaque() if part.dialect == DIALECT:
                opaque.append(part.data)
            case _:
                kind = word_of(part) if isinstance(part, Opaque) else type(part).__name__
                losses.append(Loss(path, f"{kind!r} has no form in a chat answer"))
    message["content"] = _content(message, texts, opaque, calls)
    if notes:
        message["annotations"] = notes
    if calls:
        message["tool_calls"] = calls
    return message


def _content(message: _JSON, texts: list[str], opaque: list[Any], calls: list[_JSON]) -> Any:
    if opaque:
        return [*({"type": "text", "text": text} for text in texts), *opaque]
    if texts:
        return "".join(texts)
    said = calls or message["refusal"] or message.keys() & {"function_call", "audio", "images"}
    return None if said else ""


def _put_call(
    message: _JSON, calls: list[_JSON], part: ToolCall, free_text: frozenset[str]
) -> None:
    if part.extras.get("legacy"):
        message["function_call"] = {"name": part.name, "arguments": part.arguments}
    else:
        calls.append(_call(part, free_text))


def _put_image(message: _JSON, part: Image) -> None:
    before = message.get("images", ())
    if (image := image_of(part, len(before))) is not None:
        message["images"] = [*before, image]


def _audio(part: Audio, *, own: bool) -> _JSON:
    fields = {"id": part.audio_id, "data": part.data, "transcript": part.transcript}
    audio = {key: value for key, value in fields.items() if value is not None}
    # A client's types want all of them; with another host's audio there is no id to refer to it
    # by, and so nothing that could expire later.
    blank = {} if own else {"id": "", "data": "", "expires_at": 0, "transcript": ""}
    return {**blank, **part.extras, **audio}


def _call(part: ToolCall, free_text: frozenset[str]) -> _JSON:
    if part.kind == "function" and part.name in free_text:
        part = evolve(part, kind="custom", arguments=free_text_of(part.arguments))
    extras = {key: value for key, value in part.extras.items() if key == "extra_content"}
    if part.kind == "custom":
        body: _JSON = {"name": part.name, "input": part.arguments}
    else:
        body = {"name": part.name, "arguments": part.arguments or "{}"}
    return {**extras, "id": part.id, "type": part.kind, part.kind: body}


def _reasoning(message: _JSON, part: Reasoning, path: str, losses: list[Loss]) -> None:
    if part.signature or part.encrypted:
        losses.append(Loss(f"{path}.signature", "a reasoning signature has no field"))
    marks = reasoning_fields(part)
    if part.text or marks:
        for key in marks or ["reasoning_content"]:
            message[key] = message.get(key, "") + part.text
    if part.origin == DIALECT and "reasoning_details" in part.extras:
        message["reasoning_details"] = part.extras["reasoning_details"]
