"""Read a completion request, and write one. Imports: canonical, base, openai_chat's readers.

One text becomes one user's message, so that any chat can answer. Several texts or tokens, and what
asks for more than an answer (`suffix`, `echo`, `best_of`), stay essential extras: only this dialect
can say them.

Source: https://platform.openai.com/docs/api-reference/completions/create (read 2026-11-25).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from attrs import evolve

from flo2.canonical import Loss, Message, Request, Sampling, Text
from flo2.dialects.base import Peek, Profile, Rendered
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.options_in import read_sampling
from flo2.dialects.openai_chat.peek import decode_body, read_json
from flo2.errors import InvalidRequest

__all__ = ["NAME", "parse", "peek", "render"]

NAME: Final = "openai.completions"

_TOP: Final = frozenset(
    {
        "model",
        "prompt",
        "suffix",
        "echo",
        "best_of",
        "stream",
        "stream_options",
        "user",
        "max_tokens",
        "temperature",
        "top_p",
        "top_k",
        "stop",
        "seed",
        "n",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
    }
)
_SAMPLING: Final = (
    "temperature",
    "top_p",
    "top_k",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
)


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Peeked(msgspec.Struct):
    model: str
    prompt: str | list[msgspec.Raw] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    user: Any = None


_decode: Final = msgspec.json.Decoder(_Peeked).decode


def peek(body: bytes) -> Peek:
    """Read and check the top level; every prompt of a list is answered on its own."""
    fields: _Peeked = decode_body(body, _decode)
    if not fields.model:
        raise InvalidRequest(
            "the field 'model' is ''; name a model or a route", code="missing_field", param="model"
        )
    stream = bool(fields.stream)
    options = fields.stream_options
    prompts = len(fields.prompt) if isinstance(fields.prompt, list) else 1
    return Peek(
        model=fields.model,
        stream=stream,
        wants_usage=not stream or bool(options and options.include_usage),
        # Some hosts take -1 for no bound at all.
        max_output_tokens=None if (fields.max_tokens or 0) < 0 else fields.max_tokens,
        n=max(fields.n or 1, fields.best_of or 1, 1) * max(prompts, 1),
        end_user=fields.user if isinstance(fields.user, str) and fields.user else None,
    )


def parse(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    fields = Fields(read_json(body), "", _TOP)
    extras = fields.rest()
    stream = fields.get("stream", bool)
    options = fields.get("stream_options", dict) or {}
    if others := {key: value for key, value in options.items() if key != "include_usage"}:
        extras["stream_options"] = others
    essential = _put_essential(fields, extras)
    prompt = fields.value.get("prompt")
    text = _one_text(prompt)
    if text is None:
        extras["prompt"] = prompt
        essential.add("prompt")
    plain = isinstance(prompt, str)
    return Request(
        model=fields.need("model", str),
        messages=() if text is None else (Message("user", (Text(text),), plain=plain),),
        sampling=_sampling(fields, extras),
        stream=stream,
        include_usage=options.get("include_usage") is True if stream else None,
        end_user=fields.get("user", str),
        extras=extras,
        essential=frozenset(essential),
        origin=NAME,
    )


def _one_text(prompt: Any) -> str | None:
    """Give the prompt that a conversation can begin with; None for several, or for tokens."""
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list):
        # The API itself begins a document of its own then; a chat cannot.
        raise wrong("prompt", prompt, "text, or an array of texts or tokens")
    only = prompt[0] if len(prompt) == 1 else None
    return only if isinstance(only, str) else None


def _put_essential(fields: Fields, extras: dict[str, Any]) -> set[str]:
    """Keep what asks for more than one answer of a model; `echo: false` asks for nothing."""
    suffix, echo = fields.get("suffix", str), fields.get("echo", bool)
    best_of, n = fields.get("best_of", int), fields.get("n", int)
    asked = {
        "suffix": suffix or None,
        "echo": echo or None,
        "best_of": None if best_of == (n or 1) else best_of,
    }
    said = {key: value for key, value in asked.items() if value is not None}
    extras |= said
    return set(said)


def _sampling(fields: Fields, extras: dict[str, Any]) -> Sampling:
    """Read how to draw the answer; here `logprobs` is the number of alternatives."""
    alternatives = fields.get("logprobs", int)
    values = {key: each for key, each in fields.value.items() if key != "logprobs"}
    # Its own words for these two; a chat's must not be read as the same.
    for key in ("max_completion_tokens", "top_logprobs"):
        values.pop(key, None)
    sampling = read_sampling(Fields(values, "", _TOP), extras)
    if alternatives is None:
        return sampling
    return evolve(sampling, logprobs=True, top_logprobs=alternatives)


def render(request: Request, *, model: str, profile: Profile) -> Rendered:
    """Write a request of this dialect; b"" and a refusing loss for any other."""
    if request.origin != NAME:
        reason = f"a conversation has no form in {NAME}"
        return Rendered(b"", (Loss("messages", reason, "refuse"),))
    sampling = request.sampling
    body: dict[str, Any] = {"model": model}
    for message in request.messages:
        text = "".join(part.text for part in message.content if isinstance(part, Text))
        body["prompt"] = text if message.plain else [text]
    if sampling.max_output_tokens is not None:
        body["max_tokens"] = sampling.max_output_tokens
    body |= {key: each for key in _SAMPLING if (each := getattr(sampling, key)) is not None}
    if sampling.stop or sampling.stop_as_text:
        body["stop"] = sampling.stop[0] if sampling.stop_as_text else list(sampling.stop)
    if sampling.logprobs:
        body["logprobs"] = sampling.top_logprobs
    if request.stream is not None:
        body["stream"] = request.stream
    if request.end_user is not None:
        body["user"] = request.end_user
    body = {**body, **request.extras}
    if request.stream:
        body["stream_options"] = {**body.get("stream_options", {}), "include_usage": True}
    losses = []
    for key in sorted(profile.drops & body.keys()):
        del body[key]
        losses.append(Loss(key, "the model's host does not take it"))
    for old, new in profile.renames.items():
        if old in body:
            body[new] = body.pop(old)
    return Rendered(msgspec.json.encode(body), tuple(losses))
