"""Features of OpenAI's older Completions.

Source: https://platform.openai.com/docs/api-reference/completions, read 2026-11-25. Their answers
are never translated: only a client speaks this dialect to another one.
"""

from __future__ import annotations

from typing import Final

from flo2.testing.features import Feature, Features

__all__ = ["OPENAI_COMPLETIONS"]

OPENAI_COMPLETIONS: Final = Features(
    dialect="openai.completions",
    request={"model": "m", "prompt": "Hi"},
    answer={},
    asks=(
        Feature("`prompt`: a list of one text", {"prompt": ["Hello"]}),
        Feature("`prompt`: several texts", {"prompt": ["Hi", "Ho"]}),
        Feature("`prompt`: tokens", {"prompt": [17250]}),
        Feature("`suffix`", {"suffix": "."}),
        Feature("`echo`", {"echo": True}),
        Feature("`best_of`", {"best_of": 3}),
        Feature("`max_tokens`", {"max_tokens": 100}),
        Feature("`temperature`", {"temperature": 0.5}),
        Feature("`top_p`", {"top_p": 0.5}),
        Feature("`stop`", {"stop": ["\n"]}),
        Feature("`n`", {"n": 2}),
        Feature("`seed`", {"seed": 7}),
        Feature("`presence_penalty`", {"presence_penalty": 0.5}),
        Feature("`frequency_penalty`", {"frequency_penalty": 0.5}),
        Feature("`logit_bias`", {"logit_bias": {"50256": -100}}),
        Feature("`logprobs`", {"logprobs": 2}),
        Feature("`user`", {"user": "u"}),
        Feature("a field of a host's own", {"min_p": 0.1}),
    ),
    tells=(),
)
