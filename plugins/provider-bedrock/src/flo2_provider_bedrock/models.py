"""What a model's name tells: whose it is, what it is billed as, and what it takes.

A name is a model (`amazon.nova-lite-v1:0`), an inference profile (`us.anthropic.claude-…`,
`global.…`) or an ARN of either, of a provisioned or an imported model. Pure. Imports: flo2.

Source: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-use.html and
API_runtime_Converse.html (`modelId`), read 2026-11-25.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from flo2 import InvalidRequest, Profile
from flo2.dialects.anthropic_messages.families import profile_of

__all__ = ["billed_as", "counted_as", "family_of", "in_path", "is_claude", "is_known", "profile"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,2047}")
_DOTS: Final = re.compile(r"(?:^|/)\.*(?:/|$)")
_VENDOR: Final = (
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai"
    r"|nvidia|openai|qwen|stability|twelvelabs|writer|xai|zai)"
)
_GEOGRAPHY: Final = r"(?:us|eu|apac|au|jp|ca|global|us-gov)\."
_PROFILE: Final = re.compile(rf"^{_GEOGRAPHY}(?={_VENDOR}\.)")
_KNOWN: Final = re.compile(rf"(?:{_GEOGRAPHY})?{_VENDOR}\.[a-z]|arn:aws[a-z-]*:bedrock:")
_CLAUDE: Final = re.compile(r"(?:^|[./])anthropic\.(claude-[a-z0-9.:-]+)")
_LEGACY: Final = re.compile(r"claude-(?:v\d|instant)")
# The name a profile or model has is the last part of its ARN; of an application's own profile, a
# provisioned or an imported model the ARN tells nothing.
_NAMED: Final = re.compile(r"arn:[^/]*:(?:foundation-model|inference-profile)/(.+)")


def in_path(model: str) -> str:
    """Write a name as one segment of a path.

    Raises:
        InvalidRequest: it is none; a client's text must not reach another operation.
    """
    if not _NAME.fullmatch(model) or _DOTS.search(model):
        raise InvalidRequest(
            f"{model!r} is no name of a Bedrock model; see the model ids and inference profiles "
            "of your region in the Bedrock console",
            code="model_not_found",
            param="model",
        )
    return quote(model, safe="")


def is_claude(model: str) -> bool:
    """Say whether it is Anthropic's, and so takes the Messages API."""
    return _CLAUDE.search(model) is not None


def is_known(model: str) -> bool:
    """Say whether a bare name is one of Bedrock's."""
    return _KNOWN.match(model) is not None


def billed_as(model: str) -> str:
    """Give the name that prices go by: the inference profile's, as profiles have own prices.

    `global.` costs the base price, `us.`, `eu.` and a bare id 10 % more for Claude from Sonnet 4.5
    on (https://platform.claude.com/docs/en/about-claude/pricing, read 2026-11); no answer says
    which it was.
    """
    found = _NAMED.fullmatch(model)
    return found[1] if found else model


def counted_as(model: str) -> str:
    """Give the name that `CountTokens` takes: a model's, and no inference profile's.

    A profile is a 400 there where the model behind it counts
    (Boise-State-Development/agentcore-public-stack#430, pydantic/pydantic-ai#3367; read
    2026-11-25).
    """
    return _PROFILE.sub("", billed_as(model))


def family_of(model: str) -> str:
    """Give the name that a model's facts go by: without geography, and Claude's as Anthropic's."""
    found = _CLAUDE.search(model)
    return found[1] if found else counted_as(model)


def profile(model: str) -> Profile:
    """Give the facts of a model's family."""
    found = _CLAUDE.search(model)
    if found is None:
        return Profile(system_turns=False)
    if _LEGACY.match(found[1]):
        return Profile(max_output_tokens=4096, system_turns=False)
    return profile_of(found[1])
