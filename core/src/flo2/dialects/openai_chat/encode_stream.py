"""Write an answer's events as a Chat Completions stream. Imports: canonical, sse."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from attrs import evolve

from flo2.canonical import (
    Annotation,
    Audio,
    Event,
    Failed,
    Finish,
    Image,
    LogprobsDelta,
    Loss,
    Opaque,
    PartDelta,
    PartStart,
    PartStop,
    Reasoning,
    Refusal,
    Request,
    Start,
    Text,
    ToolCall,
    Usage,
    UsageUpdate,
    Vector,
)
from flo2.dialects.bookkeeping import word_of
from flo2.dialects.free_text import free_text_of, free_text_tools
from flo2.dialects.openai_chat.aside import aside_fields
from flo2.dialects.openai_chat.call_turns import PartEvent
from flo2.dialects.openai_chat.encode_state import ChoiceState, is_constant, reasoning_delta
from flo2.dialects.openai_chat.errors import encode_stream_error
from flo2.dialects.openai_chat.usage import DIALECT, write_usage
from flo2.dialects.openai_chat.words import (
    annotation_of,
    finish_word,
    image_of,
    join_logprobs,
    logprobs_of,
)

__all__ = ["StreamEncoder"]

_encode: Final = msgspec.json.Encoder().encode
_DONE: Final = b"data: [DONE]\n\n"


class StreamEncoder:
    """Write a stream for a client.

    Args:
        include_usage: The client asked for usage: `null` in each chunk, then a chunk of its own.
        asked: The request that is answered: a tool of free text is called as such, although its
            provider may know it as a function.
    """

    def __init__(self, *, include_usage: bool, asked: Request | None = None) -> None:
        self._include_usage = include_usage
        self._free_text = free_text_tools(asked)
        self._choices: dict[int, ChoiceState] = {}
        self._usage: Usage | None = None
        self._losses: list[Loss] = []
        self._failed = False
        self._is_own = False
        self._once: dict[str, Any] = {}
        self._head: dict[str, Any] = {}
        self._open = self._close = b""
        self._set_head(Start("", ""))

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What of the answer could not be said in this dialect, so far."""
        return tuple(self._losses)

    def _set_head(self, start: Start) -> None:
        self._head = {
            "id": start.id,
            "object": "chat.completion.chunk",
            "created": start.created,
            "model": start.model,
        }
        self._is_own = start.origin == DIALECT
        if self._is_own:
            constant = {key: each for key, each in start.extras.items() if is_constant(each)}
            self._once = {key: each for key, each in start.extras.items() if key not in constant}
            self._head = {**constant, **self._head}
        self._open = b"data: " + _encode(self._head)[:-1] + b',"choices":['
        self._close = b'],"usage":null}\n\n' if self._include_usage else b"]}\n\n"

    def feed(self, event: Event) -> bytes:
        """Render one event; b"" when it has no form of its own, or must wait."""
        match event:
            case PartDelta() | PartStart() | Annotation() | PartStop():
                held = self._choice(event.choice).turns.holds(event)
                return b"" if held else self._of_part(event)
            case Start():
                self._set_head(event)
            case UsageUpdate():
                self._usage = event.usage
            case Vector():
                pass  # no answer to a chat
            case LogprobsDelta():
                # Goes with the content it is about, which comes next.
                choice = self._choice(event.choice)
                path = f"choices[{event.choice}].logprobs"
                data = logprobs_of(event.data, path, self._losses, own=self._is_own)
                given = (choice.logprobs, data)
                choice.logprobs = join_logprobs(each for each in given if each is not None)
                return b""
            case Finish():
                return self._finish(event)
            case Failed():
                self._failed = True
                return encode_stream_error(event.error)
        return b""

    def _of_part(self, event: PartEvent) -> bytes:
        match event:
            case PartDelta():
                return self._delta(event)
            case PartStart():
                return self._part(event)
            case Annotation():
                return self._annotation(event)
            case PartStop():
                out = self._complete_call(event.choice, event.index)
                if event.index == self._choice(event.choice).turns.open:
                    out += self._next_turn(event.choice)
                return out

    def _next_turn(self, number: int) -> bytes:
        """End the open call's turn; write what the next one has said."""
        return b"".join(self.feed(event) for event in self._choice(number).turns.next())

    def _end_calls(self, number: int) -> bytes:
        """Write all calls to their ends."""
        choice, out = self._choice(number), b""
        while True:
            out += b"".join(self._complete_call(number, index) for index in choice.calls)
            if not (more := self._next_turn(number)):
                return out
            out += more

    def close(self) -> bytes:
        """Render the end of the stream; after a failure there is nothing more to say."""
        if self._failed:
            return b""
        out = b"".join(self._end_calls(number) for number in self._choices)
        if not self._include_usage or self._usage is None:
            return out + _DONE
        chunk = {**self._head, "choices": [], "usage": write_usage(self._usage)}
        if self._usage.dialect == DIALECT and "service_tier" in self._usage.context:
            chunk["service_tier"] = self._usage.context["service_tier"]
        return out + b"data: " + _encode(chunk) + b"\n\n" + _DONE

    def _choice(self, number: int) -> ChoiceState:
        found = self._choices.get(number)
        if found is None:
            found = self._choices[number] = ChoiceState()
        return found

    def _chunk(
        self, number: int, delta: dict[str, Any], reason: str | None = None, extras: Any = None
    ) -> bytes:
        """Write one chunk; the first of a choice says the role."""
        choice = self._choice(number)
        if not choice.began:
            choice.began = True
            delta = {"role": "assistant", "content": "" if reason else None, **delta}
        entry: dict[str, Any] = {"index": number, "delta": delta}
        if choice.logprobs is not None:
            entry["logprobs"], choice.logprobs = choice.logprobs, None
        entry["finish_reason"] = reason
        if extras:
            entry |= {key: value for key, value in extras.items() if key not in entry}
        if self._once:
            once, self._once = self._once, {}
            return self._open + _encode(entry) + b"]," + _encode(once)[1:-1] + self._close[1:]
        return self._open + _encode(entry) + self._close

    def _lose(self, path: str, reason: str) -> None:
        self._losses.append(Loss(path, reason))

    def _part(self, event: PartStart) -> bytes:
        choice, part = self._choice(event.choice), event.part
        choice.parts[event.index] = part
        choice.starts[event.index] = choice.chars
        path = f"choices[{event.choice}].parts[{event.index}]"
        match part:
            case Text():
                choice.chars += len(part.text)
                out = self._chunk(event.choice, {"content": part.text})
                for note in part.citations:
                    out += self._annotation(Annotation(event.index, note, event.choice))
                return out
            case Reasoning():
                return self._reasoning(event.choice, part, path)
            case Refusal():
                return self._chunk(event.choice, {"refusal": part.text})
            case ToolCall():
                return self._call(event, part)
            case Audio():
                fields = {"id": part.audio_id, "data": part.data, "transcript": part.transcript}
                audio = {key: value for key, value in fields.items() if value is not None}
                return self._chunk(event.choice, {"audio": {**part.extras, **audio}})
            case Image() if (image := image_of(part, choice.images)) is not None:
                choice.images += 1
                return self._chunk(event.choice, {"images": [image]})
            case Opaque() if (aside := aside_fields(part)) is not None:
                return self._chunk(event.choice, aside)
            case Opaque() if part.dialect == DIALECT:
                return self._chunk(event.choice, {"content": [part.data]})
            case _:
                kind = word_of(part) if isinstance(part, Opaque) else type(part).__name__
                self._lose(path, f"{kind!r} has no form in a chat answer")
                return b""

    def _reasoning(self, number: int, part: Reasoning, path: str) -> bytes:
        if part.signature or part.encrypted:
            self._lose(f"{path}.signature", "a reasoning signature has no field")
        delta = reasoning_delta(part, part.text)
        if part.origin == DIALECT and "reasoning_details" in part.extras:
            delta["reasoning_details"] = part.extras["reasoning_details"]
        return self._chunk(number, delta) if part.text or len(delta) > 1 else b""

    def _call(self, event: PartStart, part: ToolCall) -> bytes:
        choice = self._choice(event.choice)
        if part.arguments:
            choice.arguments.add(event.index)
        if part.extras.get("legacy"):
            choice.arguments.add(event.index)
            legacy = {"name": part.name, "arguments": part.arguments}
            return self._chunk(event.choice, {"function_call": legacy})
        out = b"".join(self._complete_call(event.choice, index) for index in [*choice.held])
        position = choice.calls[event.index] = len(choice.calls)
        if part.kind == "function" and part.name in self._free_text and not self._is_own:
            choice.held[event.index] = [part.arguments]
            part = evolve(part, kind="custom", arguments="")
        field = "input" if part.kind == "custom" else "arguments"
        call = {
            **{key: value for key, value in part.extras.items() if key == "extra_content"},
            "index": position,
            "id": part.id,
            "type": part.kind,
            part.kind: {"name": part.name, field: part.arguments},
        }
        return out + self._chunk(event.choice, {"tool_calls": [call]})

    def _complete_call(self, number: int, index: int) -> bytes:
        """Give a call without arguments the empty object: clients parse what they get."""
        choice = self._choice(number)
        if (held := choice.held.pop(index, None)) is not None:
            choice.arguments.add(index)
            text = {"index": choice.calls[index], "custom": {"input": free_text_of("".join(held))}}
            return self._chunk(number, {"tool_calls": [text]})
        part = choice.parts.get(index)
        if not isinstance(part, ToolCall) or index in choice.arguments or part.kind == "custom":
            return b""
        choice.arguments.add(index)
        call = {"index": choice.calls[index], "function": {"arguments": "{}"}}
        return self._chunk(number, {"tool_calls": [call]})

    def _delta(self, event: PartDelta) -> bytes:
        choice = self._choice(event.choice)
        part = choice.parts.get(event.index)
        if part is None:
            return self._part(PartStart(event.index, Text(event.text), event.choice))
        match part:
            case Text():
                choice.chars += len(event.text)
                return self._chunk(event.choice, {"content": event.text}) if event.text else b""
            case Reasoning():
                return self._reasoning_more(event, part)
            case Refusal():
                return self._chunk(event.choice, {"refusal": event.text})
            case ToolCall():
                return self._arguments(event, part)
            case Audio():
                audio: dict[str, Any] = dict(event.extras)
                if event.data:
                    audio["data"] = event.data
                if event.text:
                    audio["transcript"] = event.text
                return self._chunk(event.choice, {"audio": audio})
            case _:
                return b""

    def _reasoning_more(self, event: PartDelta, part: Reasoning) -> bytes:
        if event.signature and not part.signature:
            path = f"choices[{event.choice}].parts[{event.index}].signature"
            if not any(loss.path == path for loss in self._losses):
                self._lose(path, "a reasoning signature has no field")
        delta = reasoning_delta(part, event.text) if event.text else {}
        if part.origin == DIALECT and "reasoning_details" in event.extras:
            delta["reasoning_details"] = event.extras["reasoning_details"]
        return self._chunk(event.choice, delta) if delta else b""

    def _arguments(self, event: PartDelta, part: ToolCall) -> bytes:
        choice = self._choice(event.choice)
        if not event.text:
            return b""
        choice.arguments.add(event.index)
        if event.index in choice.held:
            choice.held[event.index].append(event.text)
            return b""
        if part.extras.get("legacy"):
            return self._chunk(event.choice, {"function_call": {"arguments": event.text}})
        field = "input" if part.kind == "custom" else "arguments"
        call = {"index": choice.calls[event.index], part.kind: {field: event.text}}
        return self._chunk(event.choice, {"tool_calls": [call]})

    def _annotation(self, event: Annotation) -> bytes:
        choice = self._choice(event.choice)
        path = f"choices[{event.choice}].parts[{event.index}].citations"
        start = choice.starts.get(event.index, 0)
        note = annotation_of(event.data, start, choice.chars, path, self._losses, own=self._is_own)
        if note is None:
            return b""
        if not self._is_own:
            # Without an index the official SDK's accumulator fails at the second annotation
            # (openai-python 3.57, lib/streaming/_deltas.py, read 2026-11-25).
            note = {"index": choice.notes, **note}
            choice.notes += 1
        return self._chunk(event.choice, {"annotations": [note]})

    def _finish(self, event: Finish) -> bytes:
        before = self._end_calls(event.choice)
        word = finish_word(event.reason, event.raw, event.stop_sequence, self._losses)
        extras = event.extras if self._is_own else None
        return before + self._chunk(event.choice, {}, word, extras)
