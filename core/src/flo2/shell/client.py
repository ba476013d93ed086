"""Which API a client speaks, where the path does not say it.

Anthropic's SDKs send `anthropic-version`, Google's `x-goog-api-key`; all others speak OpenAI's. A
client shown another's shape sees an empty list, or an error without its message.
Imports: dialects, errors, starlette.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from flo2.dialects.anthropic_messages import AnthropicMessages
from flo2.dialects.gemini import Gemini
from flo2.dialects.openai_chat import OpenAIChat

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from flo2.dialects.base import Dialect
    from flo2.errors import RefusedCall

__all__ = ["ANTHROPIC", "GEMINI", "OPENAI", "refusal", "spoken_by"]

OPENAI: Final[Dialect] = OpenAIChat()
ANTHROPIC: Final[Dialect] = AnthropicMessages()
GEMINI: Final[Dialect] = Gemini()


def spoken_by(headers: Headers) -> Dialect:
    """Give the dialect that a client's headers speak of."""
    if headers.get("x-goog-api-key"):
        return GEMINI
    return ANTHROPIC if "anthropic-version" in headers else OPENAI


def refusal(error: RefusedCall, dialect: Dialect) -> Response:
    """Answer with an error in a dialect's envelope."""
    told = dialect.encode_error(error)
    return Response(told.body, told.status, dict(told.headers), "application/json")
