"""Read one request to embed, and write it. Imports: canonical, base, gemini's parts and spelling.

Normal form, where two spellings mean the same: camel case, no nulls; the role of a content says
nothing, and a `model` inside is that of the URL.

Source: https://ai.google.dev/api/embeddings (read 2026-11-25); `models.py` of google-genai 3.6.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import EmbeddingInput, Loss, Part, Text
from flo2.dialects.anthropic_messages.block_parse import expect
from flo2.dialects.base import Profile
from flo2.dialects.gemini.call_ids import Calls
from flo2.dialects.gemini.part_parse import parse_parts
from flo2.dialects.gemini.part_render import PartWriter
from flo2.dialects.gemini.spelling import message, whole
from flo2.dialects.gemini.vocabulary import NAME
from flo2.errors import InvalidRequest

__all__ = ["full_name", "read_input", "write_input"]

_CAMEL: Final = {
    "task_type": "taskType",
    "output_dimensionality": "outputDimensionality",
    "embed_content_config": "embedContentConfig",
    "auto_truncate": "autoTruncate",
}
_KNOWN: Final = frozenset({"model", "content", "taskType", "title", "outputDimensionality"})
_UNSAID: Final = "TASK_TYPE_UNSPECIFIED"
_TASKS: Final = frozenset(
    {
        "classification",
        "clustering",
        "code_retrieval_query",
        "fact_verification",
        "question_answering",
        "retrieval_document",
        "retrieval_query",
        "semantic_similarity",
    }
)


def full_name(model: str) -> str:
    """Name a model as a body does."""
    return model if "/" in model else f"models/{model}"


def read_input(value: Any, path: str) -> EmbeddingInput:
    """Read one request.

    Args:
        value: As parsed.
        path: Where it stands; "" for the body itself.

    Raises:
        InvalidRequest: with `param` naming the path at fault.
    """
    fields = {_CAMEL.get(k, k): each for k, each in message(value, path or "body").items()}
    at = f"{path}.content" if path else "content"
    content = fields.get("content")
    if isinstance(content, str):  # the documentation's own curl examples write it so
        parts: tuple[Part, ...] = (Text(content),)
    elif content is None:
        raise InvalidRequest(f"{at} is missing; say what to embed", param=at)
    else:
        found = message(content, at)
        parts = parse_parts(found.get("parts"), f"{at}.parts", Calls())
    task, title = fields.get("taskType"), fields.get("title")
    return EmbeddingInput(
        parts,
        task=None if task in (None, _UNSAID) else expect(task, str, "taskType").lower(),
        title=None if title is None else expect(title, str, "title"),
        dimensions=whole(fields.get("outputDimensionality"), "outputDimensionality"),
        extras={key: each for key, each in fields.items() if key not in _KNOWN},
    )


def write_input(
    one: EmbeddingInput, path: str, losses: list[Loss], *, model: str, own: bool, profile: Profile
) -> Mapping[str, Any]:
    """Write one request, and name what does not fit."""
    if one.tokens is not None:
        losses.append(Loss(path, "tokens of another provider's alphabet", "refuse"))
    writer = PartWriter(NAME if own else "", profile)
    written: dict[str, Any] = {
        "model": full_name(model),
        "content": {"parts": writer.parts(one.parts, path)},
    }
    losses += writer.losses
    if one.task is not None:
        if one.task in _TASKS or own:
            written["taskType"] = one.task.upper()
        else:
            losses.append(Loss(f"{path}.task", f"the task {one.task!r} has no name here"))
    if one.title is not None:
        written["title"] = one.title
    if one.dimensions is not None:
        written["outputDimensionality"] = one.dimensions
    if own:
        return {**one.extras, **written}
    losses += [Loss(f"{path}.{key}", "not a field of this API") for key in one.extras]
    return written
