"""The two spellings of proto3 JSON, and the values that it lets stand for one another.

A field may be written `maxOutputTokens` or `max_output_tokens`, a number as text, bytes in either
alphabet of base64, a list of one as its one element; null says no more than absence
(https://protobuf.dev/programming-guides/json/, read 2026-11-25; the lone element: Google's own
curl examples, and recordings/google/ellmer-vcr-google-image-0ec0e8-0). Only messages are respelled,
never what a client filled in freely (arguments, JSON Schemas, labels). Pure. Imports: errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flo2.dialects.anthropic_messages.block_parse import expect
from flo2.errors import InvalidRequest

__all__ = ["alphabet", "items", "message", "number", "whole"]

_NAMES: Final = """
    additionalProperties allowedFunctionNames anyOf cachedContent candidateCount
    codeExecutionResult displayName executableCode exclusiveMaximum exclusiveMinimum fileData
    fileUri frequencyPenalty functionCall functionCallingConfig functionDeclarations
    functionResponse generateContentRequest generationConfig includeThoughts inlineData jsonPath
    maxItems maxLength maxOutputTokens maxProperties mediaResolution mimeType minItems minLength
    minProperties parametersJsonSchema partMetadata partialArgs prefixItems presencePenalty
    propertyOrdering responseJsonSchema responseLogprobs responseMimeType responseModalities
    responseSchema safetySettings serviceTier speechConfig stopSequences systemInstruction
    thinkingBudget thinkingConfig thinkingLevel thoughtSignature toolCall toolConfig toolResponse
    topK topP videoMetadata willContinue
"""
_CAMEL: Final = {
    re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", name): name for name in _NAMES.split()
}
_URL_SAFE: Final = str.maketrans("-_", "+/")


def message(value: Any, path: str) -> Mapping[str, Any]:
    """Read one object: known fields in camel case, without nulls.

    Raises:
        InvalidRequest: it is no object.
    """
    fields = expect(value, dict, path)
    if "_" in "".join(fields) or None in fields.values():
        known: Mapping[Any, str] = _CAMEL
        return {known.get(key, key): each for key, each in fields.items() if each is not None}
    return fields


def items(value: Any, path: str) -> list[Any]:
    """Read a list, of which a lone element may stand without its brackets.

    Raises:
        InvalidRequest: it is neither a list nor an object.
    """
    if value is None:
        return []
    return [value] if isinstance(value, dict) else expect(value, list, path)


def number(value: Any, path: str) -> float | None:
    """Read a number.

    Raises:
        InvalidRequest: it is none.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise InvalidRequest(f"{path}: {value!r} is no number", param=path) from None
    if value is None or isinstance(value, float):
        return value
    return expect(value, int, path)


def whole(value: Any, path: str) -> int | None:
    """Read a whole number; 40.0 is one.

    Raises:
        InvalidRequest: it is none.
    """
    found = number(value, path)
    if found is None or isinstance(found, int):
        return found
    if not found.is_integer():
        raise InvalidRequest(f"{path}: {found!r} is no whole number", param=path)
    return int(found)


def alphabet(data: str) -> str:
    """Give base64 in the standard alphabet: google-genai sends the other one."""
    return data.translate(_URL_SAFE) if "-" in data or "_" in data else data
