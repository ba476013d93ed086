"""Plain Converse answers, in both directions, as the same events a stream gives.

Pure. Imports: flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2 import (
    Choice,
    Chunk,
    Event,
    Failed,
    Finish,
    Observed,
    PartStart,
    PartStop,
    ReadUsage,
    Response,
    Start,
    UsageUpdate,
)
from flo2.canonical import FinishReason
from flo2.dialects.base import Rendered
from flo2.dialects.jsonio import dumps, loads
from flo2_provider_bedrock.converse.block_parse import parse_block
from flo2_provider_bedrock.converse.block_render import BlockWriter
from flo2_provider_bedrock.converse.usage import in_its_place, write_usage
from flo2_provider_bedrock.converse.vocabulary import FINISH_OF, NAME, STOP_REASON_OF
from flo2_provider_bedrock.errors import garbled

__all__ = ["BodyDecoder", "encode_response", "ending", "finish_of", "stop_reason"]

_BESIDE: Final = frozenset(
    {"additionalModelResponseFields", "metrics", "performanceConfig", "serviceTier", "trace"}
)


def finish_of(raw: Any, extras: Mapping[str, Any]) -> Finish:
    """Read why the answer ended."""
    word = raw if isinstance(raw, str) else None
    return Finish(FINISH_OF.get(word or "", "other"), word, extras=extras)


def ending(holder: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a whole answer has beside its content and its usage."""
    return {key: value for key, value in holder.items() if key in _BESIDE and value is not None}


def stop_reason(reason: FinishReason | None, raw: str | None, *, own: bool) -> str:
    """Say in this dialect's word why the answer ended."""
    return raw if own and raw is not None else STOP_REASON_OF[reason or "other"]


class BodyDecoder:
    """Gather a plain answer and decode it at its end.

    Args:
        full: Give the parts too.
        read_usage: Normalises the usage object.
        id: Names the answer, which has no id of its own.
        model: The model that was asked, which the answer does not name.
    """

    def __init__(self, *, full: bool, read_usage: ReadUsage, id: str = "", model: str = "") -> None:  # noqa: A002  # as in `Start`
        self.observed: Observed = Observed(response_id=id or None, model=model or None)
        self._full = full
        self._read_usage = read_usage
        self._start = Start(id, model, origin=NAME)
        self._body = bytearray()

    def feed(self, data: bytes) -> Chunk:
        """Keep the bytes."""
        self._body += data
        return Chunk(b"")

    def close(self) -> Chunk:
        """Give the whole answer as one chunk."""
        raw = bytes(self._body)
        return Chunk(raw, self._events(raw))

    def _events(self, raw: bytes) -> tuple[Event, ...]:
        try:
            answer = loads(raw)
        except ValueError:
            answer = None
        match answer:
            case {"output": {"message": {"content": list() as content}}}:
                return self._whole(answer, [each for each in content if isinstance(each, dict)])
            case _:
                error = garbled(f"the answer is no Converse answer ({len(raw)} bytes)")
                self.observed.error = error
                return (Failed(error),)

    def _whole(self, answer: Mapping[str, Any], blocks: list[dict[str, Any]]) -> tuple[Event, ...]:
        seen = self.observed
        seen.has_content = bool(blocks)
        events: list[Event] = [self._start]
        for index, block in enumerate(blocks if self._full else blocks[:1]):
            events += (PartStart(index, parse_block(block)), PartStop(index))
        if isinstance(raw := answer.get("usage"), dict):
            seen.usage = in_its_place(self._read_usage(raw), answer)
            events.append(UsageUpdate(seen.usage))
        finish = finish_of(answer.get("stopReason"), ending(answer))
        seen.finish = finish.raw
        seen.complete = True
        return (*events, finish)


def encode_response(response: Response) -> Rendered:
    """Encode a plain answer; of several choices the first, the others are a loss."""
    out = BlockWriter(response.origin)
    choice = response.choices[0] if response.choices else Choice(())
    for i in range(1, len(response.choices)):
        out.lose(f"choices[{i}]", "one answer a request")
    content = out.blocks(choice.parts, "content")
    answer = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": stop_reason(choice.finish, choice.finish_raw, own=out.own),
        "usage": write_usage(response.usage),
        "metrics": {"latencyMs": 0},
        **(choice.extras if out.own else {}),
    }
    return Rendered(dumps(answer), tuple(out.losses))
