"""What is to be turned into vectors, and how: the part of a request that is no conversation.

Pure data. Imports: `parts`.
"""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from flo2.canonical.parts import Extras, Part

__all__ = ["Embedding", "EmbeddingInput"]


@frozen
class EmbeddingInput:
    """What becomes one vector: parts, or the ids of tokens where the client has cut them itself.

    Attributes:
        parts: Text, or several parts that are embedded together.
        tokens: Token ids in place of parts.
        task: What the vector is for (`retrieval_query`, `retrieval_document`,
            `semantic_similarity`, `classification`, `clustering`, …).
        title: Title of the document that the text is from.
        dimensions: How long the vector should be, or None for the model's own length.
        extras: Unmodelled fields of this input.
    """

    parts: tuple[Part, ...] = ()
    tokens: tuple[int, ...] | None = None
    task: str | None = None
    title: str | None = None
    dimensions: int | None = None
    extras: Extras = field(factory=dict)


@frozen
class Embedding:
    """All inputs of a request.

    Attributes:
        encoding: How the client wants the numbers written; None: it did not say.
        plain: The client wrote its one input bare, not in a list.
    """

    inputs: tuple[EmbeddingInput, ...]
    encoding: Literal["float", "base64"] | None = None
    plain: bool = False
