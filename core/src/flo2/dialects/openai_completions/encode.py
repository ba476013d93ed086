"""Write an answer as `text_completion`, whole or as a stream. Imports: canonical, openai_chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from attrs import mutable

from flo2.canonical import (
    Annotation,
    Choice,
    Event,
    Failed,
    Finish,
    LogprobsDelta,
    Loss,
    Part,
    PartDelta,
    PartStart,
    Refusal,
    Response,
    Start,
    Text,
    Usage,
    UsageUpdate,
)
from flo2.dialects.base import Rendered
from flo2.dialects.openai_chat.errors import encode_stream_error
from flo2.dialects.openai_chat.usage import write_usage
from flo2.dialects.openai_chat.words import join_logprobs
from flo2.dialects.openai_completions.request import NAME
from flo2.dialects.openai_completions.words import finish_word, lists_of

__all__ = ["StreamEncoder", "encode_response"]

_encode: Final = msgspec.json.Encoder().encode
_DONE: Final = b"data: [DONE]\n\n"


def _usage(usage: Usage) -> dict[str, Any]:
    return dict(usage.raw) if usage.dialect == NAME and usage.raw else write_usage(usage)


def _lost(part: Part, path: str, losses: list[Loss]) -> None:
    """Name a part that a text cannot hold."""
    kind = type(part).__name__
    losses.append(Loss(path, f"{kind!r} has no form in a text completion"))


def _lost_notes(path: str, losses: list[Loss]) -> None:
    """Name citations, once a part: a text has no place for them."""
    loss = Loss(f"{path}.citations", "citations have no form in a text completion")
    if loss not in losses:
        losses.append(loss)


def _logprobs(
    data: Mapping[str, Any] | None, offset: int, path: str, losses: list[Loss]
) -> dict[str, Any] | None:
    if not data:
        return None
    written = lists_of(data, offset)
    if written is None:
        losses.append(Loss(f"{path}.logprobs", "of another form than tokens in a row"))
    return written


def encode_response(response: Response) -> Rendered:
    """Encode a plain answer for a client."""
    losses: list[Loss] = []
    body: dict[str, Any] = {
        "id": response.id,
        "object": "text_completion",
        "created": response.created,
        "model": response.model,
        "choices": [_choice(n, each, losses) for n, each in enumerate(response.choices)],
    }
    if response.usage is not None:
        body["usage"] = _usage(response.usage)
    if response.origin == NAME:
        body = {**response.extras, **body}
        for written, each in zip(body["choices"], response.choices, strict=True):
            written |= {key: value for key, value in each.extras.items() if key not in written}
    return Rendered(_encode(body), tuple(losses))


def _choice(number: int, choice: Choice, losses: list[Loss]) -> dict[str, Any]:
    path = f"choices[{number}]"
    texts: list[str] = []
    for index, part in enumerate(choice.parts):
        at = f"{path}.parts[{index}]"
        if not isinstance(part, Text | Refusal):
            _lost(part, at, losses)
            continue
        texts.append(part.text)
        if isinstance(part, Text) and part.citations:
            _lost_notes(at, losses)
    reason = choice.finish
    word = (
        None
        if reason is None
        else finish_word(reason, choice.finish_raw, choice.stop_sequence, losses)
    )
    return {
        "text": "".join(texts),
        "index": number,
        "logprobs": _logprobs(join_logprobs(choice.logprobs), 0, path, losses),
        "finish_reason": word,
    }


def _path(event: PartStart | Annotation) -> str:
    return f"choices[{event.choice}].parts[{event.index}]"


@mutable
class _State:
    """What a choice's stream has said so far."""

    chars: int = 0
    logprobs: Mapping[str, Any] | None = None
    lost: frozenset[int] = frozenset()


class StreamEncoder:
    """Write a stream for a client.

    Args:
        include_usage: The client asked for usage: `null` in each chunk, then a chunk of its own.
    """

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._states: dict[int, _State] = {}
        self._usage: Usage | None = None
        self._losses: list[Loss] = []
        self._failed = False
        self._head: dict[str, Any] = {}
        self._model: str = ""
        self._start(Start("", ""))

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._losses)

    def _start(self, start: Start) -> None:
        own = start.extras if start.origin == NAME else {}
        head = {"id": start.id, "object": "text_completion", "created": start.created}
        self._head = {**own, **head}
        self._model = start.model

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it has no form of its own, or must wait."""
        match event:
            case PartDelta():
                return self._text(event.choice, event.index, event.text)
            case PartStart():
                return self._part(event)
            case Annotation():
                _lost_notes(_path(event), self._losses)
            case LogprobsDelta():
                # Goes with the text it is about, which comes next.
                state = self._state(event.choice)
                waiting = (state.logprobs,) if state.logprobs is not None else ()
                state.logprobs = join_logprobs((*waiting, event.data))
            case Finish():
                word = finish_word(event.reason, event.raw, event.stop_sequence, self._losses)
                return self._chunk(event.choice, "", word)
            case Failed():
                self._failed = True
                return encode_stream_error(event.error)
            case Start():
                self._start(event)
            case UsageUpdate():
                self._usage = event.usage
            case _:
                pass
        return b""

    def close(self) -> bytes:
        """Render the end of the stream; after a failure there is nothing more to say."""
        if self._failed:
            return b""
        if not self._include_usage or self._usage is None:
            return _DONE
        chunk = {**self._head, "choices": [], "model": self._model, "usage": _usage(self._usage)}
        return b"data: " + _encode(chunk) + b"\n\n" + _DONE

    def _state(self, number: int) -> _State:
        found = self._states.get(number)
        if found is None:
            found = self._states[number] = _State()
        return found

    def _part(self, event: PartStart) -> bytes:
        part = event.part
        if not isinstance(part, Text | Refusal):
            _lost(part, _path(event), self._losses)
            self._state(event.choice).lost |= {event.index}
            return b""
        if isinstance(part, Text) and part.citations:
            _lost_notes(_path(event), self._losses)
        return self._text(event.choice, event.index, part.text)

    def _text(self, number: int, index: int, text: str) -> bytes:
        return self._chunk(number, text) if text and index not in self._state(number).lost else b""

    def _chunk(self, number: int, text: str, reason: str | None = None) -> bytes:
        state = self._state(number)
        path = f"choices[{number}]"
        choice = {
            "text": text,
            "index": number,
            "logprobs": _logprobs(state.logprobs, state.chars, path, self._losses),
            "finish_reason": reason,
        }
        state.logprobs = None
        state.chars += len(text)
        chunk = {**self._head, "choices": [choice], "model": self._model}
        if self._include_usage:
            chunk["usage"] = None
        return b"data: " + _encode(chunk) + b"\n\n"
