"""Make a Chat Completions body fit its host, and name what that costs.

Works on the JSON itself, so that a client's own bytes and a rendered request fit in the same way
and what nobody models stays. Imports: base, canonical.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from typing import Any, Final, Protocol

from attrs import evolve

from flo2.canonical import Severity
from flo2.dialects.base import Profile
from flo2.dialects.chat_host import ANY_HOST, ChatHost

__all__ = ["Lose", "fit", "is_thinking", "thinking_text"]

_JSON = dict[str, Any]
_LETTERS: Final = string.digits + string.ascii_letters
_FIELDS: Final = ("reasoning", "reasoning_content")
_OPTIONAL: Final = frozenset({"annotations", "audio", "function_call", "refusal"})


class Lose(Protocol):
    """Takes one loss."""

    def __call__(self, path: str, reason: str, severity: Severity = "drop") -> None:
        """Name it."""
        ...


def fit(body: Mapping[str, Any], profile: Profile, lose: Lose) -> _JSON:
    """Give the body as the model's host takes it; `body` itself stays as it is.

    Args:
        body: A request, its model and stream already the host's.
        profile: `renames`, `drops` and `chat` are what differs.
        lose: Told what is left out or written otherwise.
    """
    host = profile.chat
    fitted: _JSON = dict(body)
    for key in sorted(profile.drops & fitted.keys()):
        if fitted.pop(key) is not None:
            lose(key, "the model's host does not take it")
    for old, new in profile.renames.items():
        if old in fitted:
            fitted[new] = fitted.pop(old)
    for key in host.fields.keys() & fitted.keys():
        fitted |= host.fields[key](fitted.pop(key))
    if not host.asks_usage and isinstance(options := fitted.get("stream_options"), Mapping):
        rest = {key: value for key, value in options.items() if key != "include_usage"}
        fitted["stream_options"] = rest
        if not rest:
            del fitted["stream_options"]
    wanted = fitted.get("response_format")
    if host.formats is not None and isinstance(wanted, Mapping):
        kind = wanted.get("type")
        if not isinstance(kind, str) or kind not in host.formats:
            del fitted["response_format"]
            lose("response_format", f"the model's host does not take {kind!r}", "refuse")
    if (
        isinstance(messages := fitted.get("messages"), list)
        and host is not ANY_HOST
        and host != ANY_HOST
    ):
        thinking = fitted.get("thinking")
        if isinstance(thinking, Mapping) and thinking.get("type") == "disabled":
            host = evolve(host, calls_reason=False)
        fitted["messages"] = _messages(messages, host, lose)
    return fitted


def _messages(messages: list[Any], host: ChatHost, lose: Lose) -> list[Any]:
    out: list[Any] = []
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            out.append(message)
            continue
        out.append(_message(dict(message), host, f"messages[{number}]", lose))
    last = out[-1] if out else None
    if host.marks_prefix and isinstance(last, dict) and last.get("role") == "assistant":
        last.setdefault("prefix", True)
    return out


def _message(message: _JSON, host: ChatHost, path: str, lose: Lose) -> _JSON:
    role = message.get("role")
    if role == "developer" and not host.developer:
        message["role"] = "system"
        lose(f"{path}.role", "'developer' is written as 'system'", "note")
    if not host.nulls:
        for key in _OPTIONAL & message.keys():
            if not message[key]:
                del message[key]
    if not host.names and role != "tool" and message.pop("name", None) is not None:
        lose(f"{path}.name", "the model's host does not take it")
    if role == "assistant" and host.reasoning != "as_given":
        _place_reasoning(message, host, path, lose)
    if host.parts and isinstance(content := message.get("content"), list):
        message["content"] = [_part(part, host) for part in content]
    if host.call_id_chars:
        _map_ids(message, host.call_id_chars)
    return message


def _part(part: Any, host: ChatHost) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    write = host.parts.get(kind) if isinstance(kind, str) else None
    return part if write is None else dict(write(part))


def is_thinking(part: Any) -> bool:
    """Tell a content part that is the model's thinking (wire fact 33)."""
    return (
        isinstance(part, Mapping)
        and part.get("type") == "thinking"
        and isinstance(part.get("thinking"), list)
    )


def thinking_text(part: Mapping[str, Any]) -> str:
    """Join what can be read of such a part."""
    pieces = (each.get("text") for each in part["thinking"] if isinstance(each, Mapping))
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _place_reasoning(message: _JSON, host: ChatHost, path: str, lose: Lose) -> None:
    """Move the turn's reasoning, wherever it stands, to where the host takes it."""
    said = [text for key in _FIELDS if isinstance(text := message.pop(key, None), str)]
    if message.pop("reasoning_details", None):
        lose(f"{path}.reasoning_details", "the model's host does not take it")
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    thinking = [part for part in parts if is_thinking(part)]
    # Some hosts say it twice, under both names.
    text = said[0] if said else "".join(map(thinking_text, thinking))
    if host.reasoning == "thinking":
        if text and not thinking:
            others = [{"type": "text", "text": content}] if isinstance(content, str) else parts
            others = [part for part in others if part != {"type": "text", "text": ""}]
            part = {"type": "thinking", "thinking": [{"type": "text", "text": text}]}
            message["content"] = [part, *others]
        return
    if thinking:
        message["content"] = [part for part in parts if not is_thinking(part)] or None
    if host.reasoning == "left_out":
        if text:
            lose(f"{path}.reasoning", "the model's host does not take it")
        return
    if text or said or (host.calls_reason and message.get("tool_calls")):
        message[host.reasoning] = text


def _map_ids(message: _JSON, chars: int) -> None:
    if isinstance(answers := message.get("tool_call_id"), str) and answers:
        message["tool_call_id"] = _short(answers, chars)
    if isinstance(calls := message.get("tool_calls"), list):
        message["tool_calls"] = [
            {**call, "id": _short(call_id, chars)}
            if isinstance(call, dict) and isinstance(call_id := call.get("id"), str) and call_id
            else call
            for call in calls
        ]


def _short(call_id: str, chars: int) -> str:
    if len(call_id) == chars and call_id.isascii() and call_id.isalnum():
        return call_id
    number = int.from_bytes(hashlib.sha256(call_id.encode()).digest(), "big")
    letters = []
    for _ in range(chars):
        number, letter = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[letter])
    return "".join(letters)
