"""What is known of Claude's model families: how much they write, and what they take.

Here because three hosts serve them: Anthropic itself and two clouds. Pure. Imports: base.

Sources, read 2026-11-25: https://platform.claude.com/docs/en/models (128K of output for the current
families, 64K for Haiku 4.5), Effect-TS/effect release @effect/ai-anthropic 4.0.0-beta.106 (128 000
for 4.6 to 4.8), https://docs.rs/mixtape-core (32 000 for Opus 4 and 4.1, 64 000 for 3.7),
https://platform.claude.com/docs/en/about-claude/models/migration-guide (sampling parameters and
thinking budgets refused from Opus 4.7 on),
https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-8 (system turns).
"""

from __future__ import annotations

import re
from typing import Final

from flo2.dialects.base import Profile

__all__ = ["profile_of"]

# claude-opus-4-5-20251101, claude-sonnet-4-20250514, claude-haiku-5-5; a date is no minor version.
_NEW: Final = re.compile(r"claude-([a-z]+)-(\d{1,2})(?:-(\d{1,2}))?(?![\d.])")
# claude-3-5-haiku-20241022, claude-3-opus-20240229
_OLD: Final = re.compile(r"claude-(\d)(?:-(\d))?-[a-z]+")
_SAMPLING: Final = frozenset({"temperature", "top_k", "top_p"})
_UNKNOWN: Final = (5, 0)
"""A name that tells no version is taken for a current model."""


def profile_of(model: str) -> Profile:
    """Give the facts of a model by its name; one that is newer than this list, as the newest."""
    family, version = _version(model)
    fixed = version >= (4, 7)
    return Profile(
        max_output_tokens=_longest(family, version),
        adaptive_thinking=version >= (4, 6),
        system_turns=version >= (4, 8),
        drops=_SAMPLING if fixed else frozenset(),
    )


def _version(model: str) -> tuple[str, tuple[int, int]]:
    if found := _NEW.match(model):
        return found[1], (int(found[2]), int(found[3] or 0))
    if found := _OLD.match(model):
        return "", (int(found[1]), int(found[2] or 0))
    return "", _UNKNOWN


def _longest(family: str, version: tuple[int, int]) -> int:
    if version >= (4, 6):
        return 128_000
    if version < (3, 5):
        return 4096
    if version < (3, 7):
        return 8192
    return 32_000 if family == "opus" and version < (4, 5) else 64_000
