"""Read a Cohere embeddings request, and write one. Imports: flo2.

Source: https://docs.cohere.com/reference/embed (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from flo2 import (
    Embedding,
    EmbeddingInput,
    Image,
    InvalidRequest,
    Loss,
    Opaque,
    Part,
    Peek,
    Request,
    Text,
)
from flo2.canonical import Severity
from flo2.dialects.base import Rendered
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.parts_in import split_data_url
from flo2.dialects.openai_chat.peek import decode_body, read_json
from flo2_provider_cohere.dialect.words import EMBED

__all__ = ["parse", "peek", "render"]

_JSON = dict[str, Any]
_TOP: Final = frozenset({"model", "texts", "images", "inputs", "input_type", "output_dimension"})
_TASK_OF: Final[Mapping[str, str]] = {
    "search_query": "retrieval_query",
    "search_document": "retrieval_document",
    "classification": "classification",
    "clustering": "clustering",
}
_TYPE_OF: Final[Mapping[str, str]] = {task: word for word, task in _TASK_OF.items()}
_USUAL: Final = "search_document"
"""What a text is embedded for where nobody said; the field must be there."""


class _Fields(msgspec.Struct):
    model: str
    texts: list[msgspec.Raw] | None = None
    images: list[msgspec.Raw] | None = None
    inputs: list[msgspec.Raw] | None = None


_decode: Final = msgspec.json.Decoder(_Fields).decode


def peek(body: bytes) -> Peek:
    """Read the model, and check that there is an input."""
    fields: _Fields = decode_body(body, _decode)
    if not fields.model:
        raise InvalidRequest(
            "the field 'model' is ''; it must not be empty", code="missing_field", param="model"
        )
    if not (fields.texts or fields.images or fields.inputs):
        raise InvalidRequest(
            "there is nothing to embed; send 'texts', 'images' or 'inputs'",
            code="missing_field",
            param="texts",
        )
    return Peek(fields.model)


def parse(body: bytes) -> Request:
    """Parse a whole request.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    seen = peek(body)
    fields = Fields(read_json(body), "", _TOP)
    extras = fields.rest()
    word = fields.get("input_type", str)
    if word is not None and word not in _TASK_OF:
        extras["input_type"] = word
    task = _TASK_OF.get(word or "")
    length = fields.get("output_dimension", int)
    each = [*_texts(fields), *_images(fields), *_mixed(fields)]
    inputs = tuple(EmbeddingInput(parts, task=task, dimensions=length) for parts in each)
    return Request(seen.model, (), embedding=Embedding(inputs), extras=extras, origin=EMBED)


def _texts(fields: Fields) -> list[tuple[Part, ...]]:
    found: list[tuple[Part, ...]] = []
    for number, each in enumerate(fields.get("texts", list) or ()):
        if not isinstance(each, str):
            raise wrong(f"texts[{number}]", each, "text")
        found.append((Text(each),))
    return found


def _images(fields: Fields) -> list[tuple[Part, ...]]:
    found: list[tuple[Part, ...]] = []
    for number, each in enumerate(fields.get("images", list) or ()):
        if not isinstance(each, str):
            raise wrong(f"images[{number}]", each, "a data URL")
        found.append((_image(each),))
    return found


def _mixed(fields: Fields) -> list[tuple[Part, ...]]:
    found = []
    for number, each in enumerate(fields.get("inputs", list) or ()):
        inner = Fields(each, f"inputs[{number}]", frozenset({"content"}))
        found.append(tuple(map(_part, inner.need("content", list))))
    return found


def _part(part: Any) -> Part:
    match part:
        case {"type": "text", "text": str() as text}:
            return Text(text)
        case {"type": "image_url", "image_url": {"url": str() as url}}:
            return _image(url)
        case _:
            return Opaque(EMBED, part)


def _image(url: str) -> Image:
    if split := split_data_url(url):
        return Image(data=split[1], media_type=split[0])
    return Image(url=url)


def render(request: Request, *, model: str) -> Rendered:
    """Write a request; what is no embedding has no form here."""
    wanted = request.embedding
    if wanted is None:
        return Rendered(b"", (Loss("request", f"a chat request has no form in {EMBED}", "refuse"),))
    losses: list[Loss] = []
    body: _JSON = {"model": model}
    each = [_written(one, f"input[{n}]", losses) for n, one in enumerate(wanted.inputs)]
    _put_inputs(body, each)
    _put_task(body, wanted.inputs, losses)
    _put_length(body, wanted.inputs, losses)
    own = request.origin == EMBED
    if not own:
        body["embedding_types"] = ["float"]
        if request.end_user is not None:
            losses.append(Loss("end_user", "has no field", "note"))
    for key, value in request.extras.items():
        if own:
            body[key] = value
        elif value is not None:
            severity: Severity = "refuse" if key in request.essential else "drop"
            losses.append(Loss(key, f"a field of {request.origin}", severity))
    return Rendered(msgspec.json.encode(body), tuple(losses))


def _put_inputs(body: _JSON, each: Sequence[list[_JSON]]) -> None:
    """Write texts as texts and pictures as pictures; what mixes them has a form of its own."""
    kinds = {content[0]["type"] if len(content) == 1 else "mixed" for content in each}
    if kinds == {"text"}:
        body["texts"] = [content[0]["text"] for content in each]
    elif kinds == {"image_url"}:
        body["images"] = [content[0]["image_url"]["url"] for content in each]
    else:
        body["inputs"] = [{"content": content} for content in each]


def _put_task(body: _JSON, inputs: Sequence[EmbeddingInput], losses: list[Loss]) -> None:
    tasks = {one.task for one in inputs}
    if len(tasks) > 1:
        losses.append(Loss("input", "vectors for different tasks need a request each", "refuse"))
    task = next(iter(tasks), None)
    if task is not None and task in _TYPE_OF:
        body["input_type"] = _TYPE_OF[task]
        return
    body["input_type"] = "image" if "images" in body else _USUAL
    if task is not None:
        losses.append(Loss("input[0].task", f"{task!r} is sent as {body['input_type']!r}"))


def _put_length(body: _JSON, inputs: Sequence[EmbeddingInput], losses: list[Loss]) -> None:
    lengths = {one.dimensions for one in inputs}
    if len(lengths) > 1:
        losses.append(Loss("input", "vectors of different lengths need a request each", "refuse"))
    elif (length := next(iter(lengths), None)) is not None:
        body["output_dimension"] = length


def _written(one: EmbeddingInput, path: str, losses: list[Loss]) -> list[_JSON]:
    unsaid = ["title"] if one.title is not None else []
    losses += [Loss(f"{path}.{name}", "has no field") for name in (*unsaid, *one.extras)]
    if one.tokens is not None:
        losses.append(Loss(path, "token numbers of another tokenizer; send text", "refuse"))
    content: list[_JSON] = []
    for number, part in enumerate(one.parts):
        match part:
            case Text():
                content.append({"type": "text", "text": part.text})
            case Image(data=None, url=str() as url):
                content.append({"type": "image_url", "image_url": {"url": url}})
            case Image(data=str() as data):
                url = f"data:{part.media_type or 'image/png'};base64,{data}"
                content.append({"type": "image_url", "image_url": {"url": url}})
            case Opaque(dialect=dialect, data=data) if dialect == EMBED:
                content.append(dict(data))
            case _:
                kind = type(part).__name__
                reason = f"{kind!r}: only text and images are embedded"
                losses.append(Loss(f"{path}[{number}]", reason, "refuse"))
    return content
