"""Read a Responses usage object into disjoint meters, and write one.

`input_tokens` holds cached and written tokens, `output_tokens` holds reasoning: they are taken out
once each, and the identity with `total_tokens` is checked. What an answer costs beside its tokens
is not in its usage object; `with_tools` puts it in, so that one reader sees it all and the ledger
keeps it as evidence. Imports: canonical.

Source: https://platform.openai.com/docs/api-reference/responses/object and the types of the
official SDK (openai 3.57), both read 2026-11-25.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from flo2.canonical import Usage
from flo2.canonical.usage import CACHE_WRITE_METERS, SubUsage
from flo2.dialects.openai_chat.counts import (
    Unsound,
    count_of,
    details_of,
    non_zero,
    refuse_unknown,
    split_cached,
    split_written,
)
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON

__all__ = ["read_usage", "with_tools", "write_usage"]

_PLAIN: Final = frozenset({"input_tokens", "output_tokens", "total_tokens"})
_DETAILS: Final = frozenset({"input_tokens_details", "output_tokens_details"})
_INPUT_DETAILS: Final = frozenset(
    {"cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens", "text_tokens"}
)
_OUTPUT_DETAILS: Final = frozenset(
    {"reasoning_tokens", "audio_tokens", "image_tokens", "text_tokens"}
)
_MEDIA: Final = ("input_audio_tokens", "input_image_tokens")
_BESIDE: Final = frozenset({"tool_usage", "tools_run"})
"""What `with_tools` puts into a usage object."""

_CONTAINERS: Final = ("code_interpreter_call", "shell_call")


def with_tools(raw: Mapping[str, Any], response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put what the provider's own tools did beside the tokens.

    Args:
        raw: The usage object.
        response: The whole answer around it.
    """
    output = response.get("output")
    run = Counter(
        kind
        for item in (output if isinstance(output, list) else ())
        if isinstance(item, Mapping) and (kind := _billed(item)) is not None
    )
    told = response.get("tool_usage")
    beside: JSON = {"tool_usage": told} if isinstance(told, Mapping) and _any(told) else {}
    if run:
        beside["tools_run"] = dict(run)
    return {**raw, **beside} if beside else raw


def _any(counts: Mapping[str, Any]) -> bool:
    return any(_any(each) if isinstance(each, Mapping) else each for each in counts.values())


def _billed(item: Mapping[str, Any]) -> str | None:
    """Name the tool whose use of this item has a price of its own.

    Of a web search only `search` has one, not `open_page` or `find_in_page` (the docstring of
    `ToolUsage` in the official SDK, openai 3.57; wire fact 5); older items do not say what they do.
    """
    kind = item.get("type")
    if kind == "web_search_call":
        action = item.get("action")
        done = action.get("type") if isinstance(action, Mapping) else "search"
        return kind if done == "search" else None
    if kind in ("file_search_call", "image_generation_call", "code_interpreter_call"):
        return str(kind)
    if kind == "shell_call":
        where = item.get("environment")
        hosted = isinstance(where, Mapping) and str(where.get("type")).startswith("container")
        return kind if hosted else None
    return None


def read_usage(raw: Mapping[str, Any]) -> Usage:
    """Normalise a usage object; never raises: what does not add up is named in `problem`."""
    if (plain := _plain(raw)) is not None:
        return Usage(plain, raw=raw, dialect=DIALECT)
    try:
        return _read(raw)
    except Unsound as exc:
        rough = {key: n for key in ("input_tokens", "output_tokens") if (n := _rough(raw, key))}
        return Usage(rough, raw=raw, dialect=DIALECT, problem=str(exc))


def _rough(raw: Mapping[str, Any], key: str) -> int:
    """Give a sum alone: not to be priced, but a client of another dialect reads it."""
    value = raw.get(key)
    return value if type(value) is int and value > 0 else 0


def _plain(raw: Mapping[str, Any]) -> dict[str, int] | None:
    """Read a usage object without details that are not zero: nearly all of them."""
    given, made = raw.get("input_tokens"), raw.get("output_tokens")
    if type(given) is not int or type(made) is not int or given < 1 or made < 1:
        return None
    if raw.get("total_tokens") != given + made:
        return None
    for key, value in raw.items():
        if key not in _PLAIN and (
            key not in _DETAILS or type(value) is not dict or any(value.values())
        ):
            return None
    return {"input_tokens": given, "output_tokens": made}


def _read(raw: Mapping[str, Any]) -> Usage:
    if raw.get("input_tokens") is None:
        raise Unsound("input_tokens is missing")
    given, made = count_of(raw, "input_tokens"), count_of(raw, "output_tokens")
    total = count_of(raw, "total_tokens")
    if raw.get("total_tokens") is not None and total != given + made:
        raise Unsound(f"total_tokens {total} is not input {given} + output {made}")
    refuse_unknown(raw, _PLAIN)
    inside, outside = "input_tokens_details", "output_tokens_details"
    meters = _input(given, details_of(raw, inside), f"{inside}.")
    written, informational = _output(made, details_of(raw, outside), f"{outside}.")
    requests, subcalls = _tools(raw)
    quantities = non_zero({**meters, **written, **requests})
    return Usage(quantities, informational, raw, DIALECT, subcalls=subcalls)


def _input(total: int, details: Mapping[str, Any], where: str) -> dict[str, int]:
    refuse_unknown(details, _INPUT_DETAILS, where)
    meters = {
        "cache_read_tokens": count_of(details, "cached_tokens", where),
        "cache_write_tokens": count_of(details, "cache_write_tokens", where),
        "input_audio_tokens": count_of(details, "audio_tokens", where),
        "input_image_tokens": count_of(details, "image_tokens", where),
    }
    split_written(meters, details, where)
    if meters["cache_read_tokens"] and any(meters[key] for key in _MEDIA):
        split_cached(meters, details_of(details, "cached_tokens_details"))
    text = total - sum(meters.values())
    if text < 0:
        raise Unsound(f"the parts of the prompt exceed input_tokens {total} by {-text}")
    return {"input_tokens": text, **meters}


def _output(
    total: int, details: Mapping[str, Any], where: str
) -> tuple[dict[str, int], dict[str, int]]:
    refuse_unknown(details, _OUTPUT_DETAILS, where)
    spoken = count_of(details, "audio_tokens", where)
    drawn = count_of(details, "image_tokens", where)
    reasoned = count_of(details, "reasoning_tokens", where)
    if spoken + drawn > total or reasoned > total:
        raise Unsound(f"the parts of the answer exceed output_tokens {total}")
    meters = {
        "output_tokens": total - spoken - drawn,
        "output_audio_tokens": spoken,
        "output_image_tokens": drawn,
    }
    return meters, non_zero({"reasoning_tokens": reasoned})


def _tools(raw: Mapping[str, Any]) -> tuple[dict[str, int], tuple[SubUsage, ...]]:
    """Read what the provider's own tools cost: by request, or in tokens of another model."""
    run, told = details_of(raw, "tools_run"), details_of(raw, "tool_usage")
    for kind in _CONTAINERS:
        if run.get(kind):
            raise Unsound(f"{kind}: whether its container was already paid for is not said")
    searches = details_of(told, "web_search")
    requests = {
        "web_search_requests": count_of(searches, "num_requests", "tool_usage.web_search.")
        if searches
        else count_of(run, "web_search_call"),
        "file_search_requests": count_of(run, "file_search_call"),
    }
    drawn = details_of(told, "image_gen")
    if not count_of(drawn, "total_tokens", "tool_usage.image_gen."):
        if run.get("image_generation_call"):
            raise Unsound("image_generation_call: the tokens of the image's model are not said")
        return requests, ()
    return requests, (_drawing(drawn),)


def _drawing(told: Mapping[str, Any]) -> SubUsage:
    """Read the tokens of the model that draws; which one it is, the answer does not say."""
    where = "tool_usage.image_gen."
    given, made = count_of(told, "input_tokens", where), count_of(told, "output_tokens", where)
    if count_of(told, "cached_tokens", where):
        raise Unsound(f"{where}cached_tokens has a price of its own and no meter")
    images = count_of(details_of(told, "input_tokens_details"), "image_tokens", where)
    text = count_of(details_of(told, "output_tokens_details"), "text_tokens", where)
    if images > given or text > made:
        raise Unsound(f"the parts of {where[:-1]} exceed its sums")
    quantities = {
        "input_tokens": given - images,
        "input_image_tokens": images,
        "output_tokens": text,
        "output_image_tokens": made - text,
    }
    return SubUsage(None, "image_generation", non_zero(quantities), told)


def write_usage(usage: Usage) -> JSON:
    """Write a usage object: the provider's own one where it is of this dialect."""
    if usage.dialect == DIALECT and usage.raw:
        return {key: value for key, value in usage.raw.items() if key not in _BESIDE}
    usage = usage.as_told
    given, made, info = usage.input_total, usage.output_total, usage.informational
    return {
        "input_tokens": given,
        "input_tokens_details": {
            "cached_tokens": usage.total(
                ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")
            ),
            "cache_write_tokens": usage.total(CACHE_WRITE_METERS),
        },
        "output_tokens": made,
        "output_tokens_details": {
            "reasoning_tokens": info.get("reasoning_tokens", info.get("thinking_tokens", 0))
        },
        "total_tokens": given + made,
    }
