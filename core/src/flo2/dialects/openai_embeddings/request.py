"""Read an Embeddings request, and write one. Imports: canonical, base, openai_chat's fields.

Source: https://platform.openai.com/docs/api-reference/embeddings/create (read 2026-11-20).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from flo2.canonical import (
    Embedding,
    EmbeddingInput,
    Loss,
    Opaque,
    Request,
    Severity,
    Text,
)
from flo2.dialects.base import Peek, Profile, Rendered
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.peek import decode_body, read_json
from flo2.errors import InvalidRequest

__all__ = ["NAME", "parse", "peek", "render"]

NAME: Final = "openai.embeddings"

_TOP: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user"})
_ENCODINGS: Final[Mapping[str, Literal["float", "base64"]]] = {
    "float": "float",
    "base64": "base64",
}
_UNASKED: Final = frozenset({"encoding_format"})
"""Nothing is lost where a host does not take these: flo2 writes the answer as it was asked for."""


class _Top(msgspec.Struct):
    model: str
    input: str | list[msgspec.Raw]
    user: Any = None


_decode: Final = msgspec.json.Decoder(_Top).decode


def peek(body: bytes) -> Peek:
    """Read model and end user, and check that there is an input."""
    fields: _Top = decode_body(body, _decode)
    for name, value in (("model", fields.model), ("input", fields.input)):
        if not value:
            raise InvalidRequest(
                f"the field {name!r} is {value!r}; it must not be empty",
                code="missing_field",
                param=name,
            )
    user = fields.user
    return Peek(fields.model, end_user=user if isinstance(user, str) and user else None)


def parse(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    seen = peek(body)
    fields = Fields(read_json(body), "", _TOP)
    extras = fields.rest()
    encoding = _ENCODINGS.get(fields.get("encoding_format", str) or "")
    if encoding is None and (other := fields.value.get("encoding_format")) is not None:
        extras["encoding_format"] = other  # a host's own
    value, dimensions = fields.value["input"], fields.get("dimensions", int)
    plain = isinstance(value, str) or _is_tokens(value)
    each = [value] if plain else value
    inputs = tuple(_input(one, f"input[{n}]", dimensions) for n, one in enumerate(each))
    return Request(
        seen.model,
        (),
        end_user=fields.get("user", str),
        embedding=Embedding(inputs, encoding, plain),
        extras=extras,
        origin=NAME,
    )


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int for one in value)


def _input(value: Any, path: str, dimensions: int | None) -> EmbeddingInput:
    if isinstance(value, str):
        return EmbeddingInput((Text(value),), dimensions=dimensions)
    if _is_tokens(value):
        return EmbeddingInput(tokens=tuple(value), dimensions=dimensions)
    if isinstance(value, dict):  # hosts of multimodal models take objects
        return EmbeddingInput((Opaque(NAME, value),), dimensions=dimensions)
    raise wrong(path, value, "text or an array of token numbers")


def render(request: Request, *, model: str, profile: Profile) -> Rendered:
    """Write a request; what is no embedding has no form here."""
    wanted = request.embedding
    if wanted is None:
        return Rendered(b"", (Loss("request", f"a chat request has no form in {NAME}", "refuse"),))
    losses: list[Loss] = []
    each = [_written(one, f"input[{n}]", losses) for n, one in enumerate(wanted.inputs)]
    body: dict[str, Any] = {"model": model, "input": each[0] if wanted.plain and each else each}
    _put_dimensions(body, wanted, losses)
    if wanted.encoding is not None:
        body["encoding_format"] = wanted.encoding
    if request.end_user is not None:
        body["user"] = request.end_user
    _put_extras(body, request, losses)
    for key in sorted(profile.drops & body.keys()):
        del body[key]
        if key not in _UNASKED:
            losses.append(Loss(key, "the model's host does not take it"))
    for old, new in profile.renames.items():
        if old in body:
            body[new] = body.pop(old)
    return Rendered(msgspec.json.encode(body), tuple(losses))


def _put_dimensions(body: dict[str, Any], wanted: Embedding, losses: list[Loss]) -> None:
    lengths = {one.dimensions for one in wanted.inputs}
    if len(lengths) > 1:
        losses.append(Loss("input", "vectors of different lengths need a request each", "refuse"))
    elif (dimensions := next(iter(lengths), None)) is not None:
        body["dimensions"] = dimensions


def _put_extras(body: dict[str, Any], request: Request, losses: list[Loss]) -> None:
    for key, value in request.extras.items():
        if request.origin == NAME:
            body.setdefault(key, value)
        elif value is not None:
            severity: Severity = "refuse" if key in request.essential else "drop"
            losses.append(Loss(key, f"a field of {request.origin}", severity))


def _written(one: EmbeddingInput, path: str, losses: list[Loss]) -> Any:
    unsaid = [name for name in ("task", "title") if getattr(one, name) is not None]
    losses += [Loss(f"{path}.{name}", "has no field") for name in (*unsaid, *one.extras)]
    if one.tokens is not None:
        return list(one.tokens)
    first = one.parts[0] if len(one.parts) == 1 else None
    if isinstance(first, Opaque) and first.dialect == NAME:
        return dict(first.data)
    texts = []
    for number, part in enumerate(one.parts):
        if isinstance(part, Text):
            texts.append(part.text)
        else:
            kind = type(part).__name__
            losses.append(Loss(f"{path}[{number}]", f"{kind!r}: only text is embedded", "refuse"))
    if len(texts) > 1:
        losses.append(Loss(path, "several texts for one vector become one text", "note"))
    return "\n".join(texts)
