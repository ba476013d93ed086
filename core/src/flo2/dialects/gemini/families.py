"""What is known of Gemini's model families, for rendering a foreign request.

Here because two hosts serve them. Pure. Imports: base.

Sources, read 2026-11-25: https://ai.google.dev/gemini-api/docs/thinking (levels from Gemini 3 on,
of which Pro has no `minimal`; 2.5 Pro and everything from 3 on cannot stop thinking),
https://ai.google.dev/gemini-api/docs/thought-signatures (checked from 3 on),
https://ai.google.dev/gemini-api/docs/function-calling (media in function responses from 3 on),
https://ai.google.dev/gemini-api/docs/models (64K of output since 2.5, 8K before).
"""

from __future__ import annotations

import re
from typing import Final

from flo2.dialects.base import Profile
from flo2.dialects.gemini.vocabulary import (
    MEDIA_IN_RESULTS,
    PLACEHOLDER,
    THINKING_MINIMAL,
    THINKING_OFF,
)

__all__ = ["profile_of"]

# gemini-2.5-flash-lite, gemini-3-pro-preview, gemini-4-argon, models/gemini-3.1-pro-preview
_MODEL: Final = re.compile(r"(?:models/)?(?:gemini-(\d+)(?:\.(\d+))?|gemma-)")
_UNKNOWN: Final = (3, 0)
"""A name that tells no version (`gemini-flash-latest`) is taken for a current model."""


def profile_of(model: str) -> Profile:
    """Give the facts of a model by its name; one that is newer than this list, as the newest."""
    found = _MODEL.match(model)
    version, pro = _UNKNOWN, "-pro" in model
    if found is not None:
        version = (int(found[1]), int(found[2] or 0)) if found[1] else (0, 0)
    drops: set[str] = set()
    if version < (3, 0):
        drops |= {PLACEHOLDER, MEDIA_IN_RESULTS}
    if version >= (3, 0) or (version == (2, 5) and pro):
        drops.add(THINKING_OFF)
    if version >= (3, 0) and pro:
        drops.add(THINKING_MINIMAL)
    return Profile(
        max_output_tokens=65_536 if version >= (2, 5) else 8192,
        adaptive_thinking=version >= (3, 0),
        drops=frozenset(drops),
    )
