"""Features of Google's batchEmbedContents.

Source: https://ai.google.dev/api/embeddings, read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

from flo2.testing.features import PIXEL, Feature, Features

__all__ = ["GEMINI_EMBED"]

_TEXT: Final = {"text": "Hi"}


def _one(*parts: dict[str, Any], **fields: Any) -> dict[str, Any]:
    content = {"parts": [*(parts or (_TEXT,))]}
    return {"requests": [{"model": "models/m", "content": content, **fields}]}


GEMINI_EMBED: Final = Features(
    dialect="gemini.batch_embed",
    request=_one(),
    answer={"embeddings": [{"values": [0.5, -0.25]}], "usageMetadata": {"promptTokenCount": 3}},
    asks=(
        Feature("several requests", {"requests": [*_one()["requests"], *_one()["requests"]]}),
        Feature("several texts for one vector", _one(_TEXT, {"text": "Ho"})),
        Feature("an image", _one(_TEXT, {"inlineData": {"mimeType": "image/png", "data": PIXEL}})),
        Feature("`taskType`", _one(taskType="CLUSTERING")),
        Feature("`title`", _one(title="A title")),
        Feature("`outputDimensionality`", _one(outputDimensionality=8)),
        Feature(
            "lengths that differ",
            {
                "requests": [
                    *_one(outputDimensionality=8)["requests"],
                    *_one(outputDimensionality=16)["requests"],
                ]
            },
        ),
        Feature("`embedContentConfig`", _one(embedContentConfig={"autoTruncate": True})),
    ),
    tells=(
        Feature("several vectors", {"embeddings": [{"values": [0.5]}, {"values": [0.25]}]}),
        Feature("a field of a vector", {"embeddings": [{"values": [0.5, -0.25], "shape": [2]}]}),
        Feature("no `usageMetadata`", {"usageMetadata": None}),
        Feature("`usageMetadata`", {"usageMetadata": {"promptTokenCount": 7}}),
    ),
)
