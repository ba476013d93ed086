"""Features of OpenAI's Embeddings.

Source: https://platform.openai.com/docs/api-reference/embeddings, read 2026-11-25.
"""

from __future__ import annotations

from typing import Final

from flo2.testing.features import Feature, Features

__all__ = ["OPENAI_EMBEDDINGS"]

OPENAI_EMBEDDINGS: Final = Features(
    dialect="openai.embeddings",
    request={"model": "m", "input": "Hi"},
    answer={
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}],
        "model": "m",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    },
    asks=(
        Feature("`input`: several texts", {"input": ["Hi", "Ho"]}),
        Feature("`input`: tokens", {"input": [17250]}),
        Feature("`dimensions`", {"dimensions": 8}),
        Feature("`encoding_format`", {"encoding_format": "base64"}),
        Feature("`user`", {"user": "u"}),
        Feature("a field of a host's own", {"truncate": "END"}),
    ),
    tells=(
        Feature(
            "a vector in base64",
            {"data": [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAgD8="}]},
        ),
        Feature(
            "several vectors, out of order",
            {"data": [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]},
        ),
        Feature("`usage`", {"usage": {"prompt_tokens": 7, "total_tokens": 7}}),
    ),
)
