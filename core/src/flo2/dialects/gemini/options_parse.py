"""Parse the option objects of a request: `toolConfig` and `generationConfig`.

What is not modelled goes back into the mapping they are taken from, each field under its dotted
path (`generationConfig.speechConfig`), so that a loss names it alone.
Pure. Imports: canonical, errors.

Source: https://ai.google.dev/api/generate-content#generationconfig and
https://ai.google.dev/gemini-api/docs/thinking, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from flo2.canonical import ReasoningOptions, ResponseFormat, Sampling, ToolChoice
from flo2.dialects.anthropic_messages.block_parse import expect, rest_of
from flo2.dialects.gemini.schemas import spelled
from flo2.dialects.gemini.spelling import items, message, number, whole

__all__ = ["take_generation", "take_tool_config"]

Fields = dict[str, Any]

_MODES: Final[Mapping[Any, Literal["auto", "none", "required"]]] = {
    "AUTO": "auto",
    "ANY": "required",
    "NONE": "none",
}
_CALLING: Final = frozenset({"mode", "allowedFunctionNames"})


def take_tool_config(left: Fields) -> ToolChoice | None:
    """Take `toolConfig`: which tools may or must be called.

    Raises:
        InvalidRequest: a modelled field has the wrong type.
    """
    if (value := left.pop("toolConfig", None)) is None:
        return None
    config = message(value, "toolConfig")
    for key, each in config.items():
        if key != "functionCallingConfig":
            left[f"toolConfig.{key}"] = each
    path = "toolConfig.functionCallingConfig"
    calling = message(config.get("functionCallingConfig", {}), path)
    rest = rest_of(calling, _CALLING)
    allowed = items(calling.get("allowedFunctionNames"), f"{path}.allowedFunctionNames")
    word = calling.get("mode")
    mode = _MODES.get(word) if isinstance(word, str) else None
    if mode == "required" and len(allowed) == 1:
        return ToolChoice("tool", expect(allowed[0], str, path), rest)
    if allowed:
        rest["allowedFunctionNames"] = allowed
    if mode is not None:
        return ToolChoice(mode, extras=rest)
    if "mode" in calling:
        rest["mode"] = word  # VALIDATED: as AUTO, and calls keep to their schema
    return ToolChoice("auto", extras=rest) if rest else None


_GENERATION: Final = frozenset(
    {
        "candidateCount",
        "frequencyPenalty",
        "logprobs",
        "maxOutputTokens",
        "presencePenalty",
        "responseJsonSchema",
        "responseLogprobs",
        "responseMimeType",
        "responseSchema",
        "seed",
        "stopSequences",
        "temperature",
        "thinkingConfig",
        "topK",
        "topP",
    }
)
_ROOT: Final = "generationConfig"


def take_generation(
    left: Fields,
) -> tuple[Sampling, ResponseFormat | None, ReasoningOptions | None]:
    """Take `generationConfig` apart.

    Raises:
        InvalidRequest: a modelled field has the wrong type.
    """
    if (value := left.pop(_ROOT, None)) is None:
        return Sampling(), None, None
    config = message(value, _ROOT)
    for key, each in config.items():
        if key not in _GENERATION and not (key == "responseModalities" and _is_text_alone(each)):
            left[f"{_ROOT}.{key}"] = each

    def count(key: str) -> int | None:
        return whole(config.get(key), f"{_ROOT}.{key}")

    def share(key: str) -> float | None:
        return number(config.get(key), f"{_ROOT}.{key}")

    logprobs = config.get("responseLogprobs")
    stop = items(config.get("stopSequences"), f"{_ROOT}.stopSequences")
    sampling = Sampling(
        max_output_tokens=count("maxOutputTokens"),
        temperature=share("temperature"),
        top_p=share("topP"),
        top_k=count("topK"),
        stop=tuple(expect(word, str, f"{_ROOT}.stopSequences[{i}]") for i, word in enumerate(stop)),
        seed=count("seed"),
        n=count("candidateCount"),
        presence_penalty=share("presencePenalty"),
        frequency_penalty=share("frequencyPenalty"),
        logprobs=None if logprobs is None else expect(logprobs, bool, f"{_ROOT}.responseLogprobs"),
        top_logprobs=count("logprobs"),
    )
    return sampling, _format(config, left), _thinking(config.get("thinkingConfig"), left)


def _is_text_alone(value: Any) -> bool:
    return value in (["TEXT"], ["text"], [])


def _format(config: Mapping[str, Any], left: Fields) -> ResponseFormat | None:
    media_type = config.get("responseMimeType")
    if media_type is not None:
        expect(media_type, str, f"{_ROOT}.responseMimeType")
    schema: Mapping[str, Any] | None = None
    if "responseJsonSchema" in config:
        at = f"{_ROOT}.responseJsonSchema"
        schema = expect(config["responseJsonSchema"], dict, at)
    elif "responseSchema" in config:
        at = f"{_ROOT}.responseSchema"
        schema = spelled(expect(config["responseSchema"], dict, at), at)
    if schema is not None and media_type in {None, "application/json"}:
        return ResponseFormat("json_schema", schema=schema)
    if schema is None and media_type == "application/json":
        return ResponseFormat("json_object")
    if schema is None and media_type == "text/plain":
        return ResponseFormat("text")
    for key in ("responseMimeType", "responseSchema", "responseJsonSchema"):
        if key in config:  # `text/x.enum`: one word out of the schema's
            left[f"{_ROOT}.{key}"] = config[key]
    return None


_THINKING: Final = frozenset({"thinkingBudget", "thinkingLevel", "includeThoughts"})
_DYNAMIC: Final = -1


def _thinking(value: Any, left: Fields) -> ReasoningOptions | None:
    if value is None:
        return None
    path = f"{_ROOT}.thinkingConfig"
    config = message(value, path)
    for key, each in rest_of(config, _THINKING).items():
        left[f"{path}.{key}"] = each
    budget = whole(config.get("thinkingBudget"), f"{path}.thinkingBudget")
    level = config.get("thinkingLevel")
    shown = config.get("includeThoughts")
    mode: Literal["off", "enabled", "adaptive"] | None = None
    if budget is not None:
        mode = "off" if budget == 0 else "adaptive" if budget == _DYNAMIC else "enabled"
    display = None
    if shown is not None:
        display = "summarized" if expect(shown, bool, f"{path}.includeThoughts") else "omitted"
    effort = None if level is None else expect(level, str, f"{path}.thinkingLevel").lower()
    if mode is None and effort is None and display is None:
        return None
    return ReasoningOptions(mode, effort, budget if mode == "enabled" else None, display)
