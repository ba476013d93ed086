"""Read the options of a Chat Completions request: tools, format, sampling. Imports: canonical."""

from __future__ import annotations

from typing import Any, Final

from flo2.canonical import OpaqueTool, ResponseFormat, Sampling, Tool, ToolChoice
from flo2.dialects.openai_chat.fields import Fields, wrong
from flo2.dialects.openai_chat.usage import DIALECT

__all__ = ["read_response_format", "read_sampling", "read_tool", "read_tool_choice"]

_TOOL: Final = frozenset({"type", "function"})
_FUNCTION: Final = frozenset({"name", "description", "parameters", "strict"})
_CUSTOM_TOOL: Final = frozenset({"type", "custom"})
_CUSTOM: Final = frozenset({"name", "description"})
_FORMAT: Final = frozenset({"type", "json_schema"})
_SCHEMA: Final = frozenset({"name", "schema", "strict", "description"})


def read_tool(tool: Any, path: str) -> Tool | OpaqueTool:
    """Read one entry of `tools`; a kind that runs at the provider stays opaque."""
    fields = Fields(tool, path, _TOOL)
    if isinstance(fields.value.get("custom"), dict):
        fields = Fields(tool, path, _CUSTOM_TOOL)
        inner = Fields(fields.value["custom"], fields.at("custom"), _CUSTOM)
        extras = fields.rest()
        if nested := inner.rest():
            extras["custom"] = nested
        return Tool(
            inner.need("name", str),
            inner.get("description", str),
            kind="custom",
            extras=extras,
        )
    if not isinstance(fields.value.get("function"), dict):
        return OpaqueTool(DIALECT, fields.value)
    inner = Fields(fields.value["function"], fields.at("function"), _FUNCTION)
    extras = fields.rest()
    if nested := inner.rest():
        extras["function"] = nested
    return Tool(
        inner.need("name", str),
        inner.get("description", str),
        inner.get("parameters", dict),
        inner.get("strict", bool),
        extras=extras,
    )


def read_tool_choice(choice: Any) -> ToolChoice | None:
    """Read `tool_choice`; a form without a canonical twin is kept whole in `extras`."""
    if choice is None:
        return None
    if choice in ("auto", "none", "required"):
        return ToolChoice(choice)
    if choice == "any":  # Mistral's word
        return ToolChoice("required", extras={"tool_choice": choice})
    if not isinstance(choice, dict):
        raise wrong("tool_choice", choice, "'auto', 'none', 'required' or an object")
    kind = choice.get("type")
    inner = choice.get(kind) if isinstance(kind, str) else None
    if isinstance(inner, dict) and isinstance(name := inner.get("name"), str):
        plain = {"type": "function", "function": {"name": name}}
        return ToolChoice("tool", name, {} if choice == plain else {"tool_choice": choice})
    mode = inner.get("mode") if isinstance(inner, dict) else None
    return ToolChoice("required" if mode == "required" else "auto", extras={"tool_choice": choice})


def read_response_format(fields: Fields, extras: dict[str, Any]) -> ResponseFormat | None:
    """Read `response_format`; a kind of one host goes to `extras`."""
    found = fields.get("response_format", dict)
    if found is None:
        return None
    kind = found.get("type")
    rest = {key: value for key, value in found.items() if key not in _FORMAT}
    if kind in ("text", "json_object"):
        return ResponseFormat(kind, extras=rest)
    if kind == "json_schema" and isinstance(found.get("json_schema"), dict):
        inner = Fields(found["json_schema"], "response_format.json_schema", _SCHEMA)
        if nested := inner.rest():
            rest["json_schema"] = nested
        return ResponseFormat(
            "json_schema",
            inner.get("name", str),
            inner.get("schema", dict),
            inner.get("strict", bool),
            inner.get("description", str),
            rest,
        )
    extras["response_format"] = found  # a grammar or another kind of one host
    return None


def read_sampling(fields: Fields, extras: dict[str, Any]) -> Sampling:
    """Read how to draw the answer; of two bounds the older one goes to `extras`."""
    bound, bound_field = fields.get("max_completion_tokens", int), "max_completion_tokens"
    older = fields.get("max_tokens", int)
    if bound is None:
        bound, bound_field = older, "max_tokens"
    elif older is not None:
        extras["max_tokens"] = older
    stop = fields.value.get("stop")
    if isinstance(stop, list):
        for number, each in enumerate(stop):
            if not isinstance(each, str):
                raise wrong(f"stop[{number}]", each, "text")
    elif stop is not None and not isinstance(stop, str):
        raise wrong("stop", stop, "text or an array of texts")
    seed = fields.get("seed", int)
    return Sampling(
        max_output_tokens=bound,
        max_output_field=bound_field if bound is not None else None,
        temperature=fields.get("temperature", float),
        top_p=fields.get("top_p", float),
        top_k=fields.get("top_k", int),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        stop_as_text=isinstance(stop, str),
        seed=fields.get("random_seed", int) if seed is None else seed,  # Mistral's word
        n=fields.get("n", int),
        presence_penalty=fields.get("presence_penalty", float),
        frequency_penalty=fields.get("frequency_penalty", float),
        logit_bias=fields.get("logit_bias", dict),
        logprobs=fields.get("logprobs", bool),
        top_logprobs=fields.get("top_logprobs", int),
    )
