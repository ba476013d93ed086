"""OpenAI's organisation usage and costs, as its admin API gives them.

Usage: https://platform.openai.com/docs/api-reference/usage (read 2026-11): buckets of 1m, 1h or 1d,
UTC, in Unix seconds. Costs: days only, money as JSON floats in USD, and `line_item`, whose texts
are not documented: they are looked up in a table. Imports: importers.reading, words, times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import urlencode

from flo2 import (
    COVERED,
    REQUESTS,
    BillingError,
    BillingRow,
    BillQuery,
    BillWindow,
)
from flo2_reconcile.importers.reading import (
    Plain,
    json_head,
    next_query,
    number,
    object_of,
    page_of,
    pages,
    text_of,
    whole,
)
from flo2_reconcile.words import tier_and_processing

__all__ = ["OpenAIReports"]

_PROVIDER: Final = "openai"
_COUNTS: Final = {
    "organization.usage.web_searches.result": ("web_searches", "web_search_requests"),
    "organization.usage.file_searches.result": ("file_searches", "file_search_requests"),
    "organization.usage.code_interpreter_sessions.result": ("code_sessions", "container_sessions"),
}
_TOKENS: Final = {
    "organization.usage.completions.result": "completions",
    "organization.usage.embeddings.result": "embeddings",
    "organization.usage.moderations.result": "moderations",
}
_COSTS: Final = "organization.costs.result"

_METERS: Final = {
    "input": "input_tokens",
    "cached input": "cache_read_tokens",
    "cache write": "cache_write_tokens",
    "output": "output_tokens",
    "audio input": "input_audio_tokens",
    "cached audio input": "cache_read_audio_tokens",
    "audio output": "output_audio_tokens",
    "image input": "input_image_tokens",
    "image output": "output_image_tokens",
}
_WAYS: Final = {
    "": ("standard", "online"),
    "flex": ("flex", "online"),
    "priority": ("priority", "online"),
    "scale": ("scale", "online"),
    "batch": ("standard", "batch"),
}
LINE_ITEMS: Final[Mapping[str, tuple[str, str, str]]] = {
    f"{words} ({way})" if way else words: (meter, *_WAYS[way])
    for words, meter in _METERS.items()
    for way in _WAYS
}
"""What stands after the model in a line item → meter, tier, processing."""

FEES: Final = {
    "web search tool calls": "web_search_requests",
    "file search tool calls": "file_search_requests",
    "code interpreter sessions": "container_sessions",
}
"""Line items without a model → meter."""

_WIDTHS: Final = {"1m": 1440, "1h": 168, "1d": 31}
_GROUPS: Final = ("project_id", "api_key_id", "model", "batch", "service_tier")
_COST_DAYS: Final = 180


class OpenAIReports(Plain):
    """Pages of `/v1/organization/usage/*` and `/v1/organization/costs`."""

    kind: ClassVar[str] = "openai"
    base_url: ClassVar[str] = "https://api.openai.com"

    def recognises(self, name: str, head: bytes) -> bool:
        """Know a page by the names of its objects."""
        return json_head(head, b'"object"', b'"data"') and (
            b'"organization.' in head or b'"bucket"' in head or b'"page"' in head
        )

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read pages."""
        kinds: set[str] = set()
        spans: list[tuple[str, int, int]] = []
        for where, page in pages(name, file):
            if page.get("object") != "page" or not isinstance(page.get("data"), list):
                raise BillingError(
                    f"{where}: no page of OpenAI's usage or costs (it has no `data` of buckets)"
                )
            for place, bucket in enumerate(page["data"]):
                at = f"{where}#{place}"
                known = object_of(bucket, at)
                start = whole(known.get("start_time"), at, "start_time") * 1_000_000
                end = whole(known.get("end_time"), at, "end_time") * 1_000_000
                spans.append((at, start, end))
                for number_, result in enumerate(known.get("results") or ()):
                    here = f"{at}.{number_}"
                    one = object_of(result, here)
                    kinds.add(text_of(one.get("object")))
                    yield from _rows(one, here, start, end)
        # A bucket without results says of which report it is by the others alone; pages that are
        # empty say it of none.
        reports = {_report(kind, name) for kind in kinds} or {f"{_PROVIDER}.*"}
        for report in reports:
            for at, start, end in spans:
                yield BillingRow(report, at, start, end, {"provider": _PROVIDER}, COVERED)

    # Over the network ---------------------------------------------------------------------------

    def auth(self, secret: str) -> Sequence[tuple[str, str]]:
        """Give the header; an admin key (`sk-admin-…`) is needed."""
        return [("authorization", f"Bearer {secret}")]

    def queries(self, window: BillWindow) -> Sequence[BillQuery]:
        """Ask for completions, embeddings, searches and costs."""
        start, end = window.start_us // 1_000_000, window.end_us // 1_000_000
        usage = {"start_time": start, "end_time": end, "bucket_width": window.width}
        limit = _WIDTHS[window.width]
        groups = [("group_by", group) for group in _GROUPS]
        some = [pair for pair in groups if pair[1] in {"project_id", "api_key_id", "model"}]
        costs = {"start_time": start, "end_time": end, "bucket_width": "1d", "limit": _COST_DAYS}
        asked = [
            ("completions", [*usage.items(), ("limit", limit), *groups]),
            ("embeddings", [*usage.items(), ("limit", limit), *some]),
            ("web_search_calls", [*usage.items(), ("limit", limit), *some]),
        ]
        return [
            *(
                BillQuery(name, f"/v1/organization/usage/{name}?{urlencode(query)}")
                for name, query in asked
            ),
            BillQuery(
                "costs",
                "/v1/organization/costs?"
                + urlencode(
                    [*costs.items(), ("group_by", "project_id"), ("group_by", "line_item")]
                ),
            ),
        ]

    def after(self, query: BillQuery, body: bytes) -> BillQuery | None:
        """Follow `next_page`."""
        page = page_of(query, body, "data")
        if page.get("object") != "page":
            raise BillingError(
                f"page {query.page} of {query.report}: expected a page, found "
                f"{page.get('object')!r}"
            )
        return next_query(query, page)


def _report(kind: str, where: str) -> str:
    if kind == _COSTS:
        return "openai.costs"
    if kind in _TOKENS:
        return f"openai.usage.{_TOKENS[kind]}"
    if kind in _COUNTS:
        return f"openai.usage.{_COUNTS[kind][0]}"
    raise BillingError(f"{where}: results of kind {kind!r} are not known")


def _rows(one: Mapping[str, Any], where: str, start: int, end: int) -> Iterator[BillingRow]:
    kind = text_of(one.get("object"))
    report = _report(kind, where)
    if kind == _COSTS:
        yield _cost(one, where, start, end)
        return
    keys = {"provider": _PROVIDER}
    for name, field in (("project", "project_id"), ("api_key", "api_key_id"), ("model", "model")):
        if one.get(field) is not None:
            keys[name] = text_of(one[field])
    if one.get("service_tier") is not None or one.get("batch") is not None:
        tier, processing = tier_and_processing(
            one.get("service_tier"), batch=one.get("batch") is True
        )
        if one.get("service_tier") is not None:
            keys["service_tier"] = tier
        if one.get("batch") is not None:
            keys["processing"] = processing
    identity = "|".join(text_of(one.get(name)) for name in (*_GROUPS, "user_id", "context_level"))
    for meter, count in _quantities(one, kind, where).items():
        yield BillingRow(
            report, where, start, end, keys, meter, count, identity=f"{kind}|{identity}"
        )


def _quantities(one: Mapping[str, Any], kind: str, where: str) -> dict[str, int]:
    def count(field: str) -> int:
        return whole(one.get(field), where, field)

    requests = count("num_model_requests")
    if kind in _COUNTS:
        field = next((f for f in ("num_requests", "num_sessions") if f in one), "num_requests")
        return {_COUNTS[kind][1]: count(field)}
    if kind != "organization.usage.completions.result":
        return {REQUESTS: requests, "input_tokens": count("input_tokens")}
    cached, written = count("input_cached_tokens"), count("input_cache_write_tokens")
    media = {
        f"{meter}_tokens": count(field)
        for meter, field in (
            ("input_audio", "input_audio_tokens"),
            ("input_image", "input_image_tokens"),
            ("cache_read_audio", "input_cached_audio_tokens"),
            ("cache_read_image", "input_cached_image_tokens"),
            ("output_audio", "output_audio_tokens"),
            ("output_image", "output_image_tokens"),
        )
    }
    of = {meter.removesuffix("_tokens"): n for meter, n in media.items()}
    found = {
        REQUESTS: requests,
        "input_tokens": count("input_tokens")
        - cached
        - written
        - of["input_audio"]
        - of["input_image"],
        "cache_read_tokens": cached - of["cache_read_audio"] - of["cache_read_image"],
        "cache_write_tokens": written,
        "output_tokens": count("output_tokens") - of["output_audio"] - of["output_image"],
        **media,
    }
    if short := [name for name, n in found.items() if n < 0]:
        raise BillingError(
            f"{where}: the parts of input or output are more than the whole ({short[0]})"
        )
    return found


def _cost(one: Mapping[str, Any], where: str, start: int, end: int) -> BillingRow:
    amount = object_of(one.get("amount"), f"{where}.amount")
    item = text_of(one.get("line_item"))
    keys = {"provider": _PROVIDER}
    if one.get("project_id") is not None:
        keys["project"] = text_of(one["project_id"])
    if one.get("api_key_id") is not None:
        keys["api_key"] = text_of(one["api_key_id"])
    model, _, rest = item.partition(", ")
    quantity = one.get("quantity")
    if rest in LINE_ITEMS:
        meter, tier, processing = LINE_ITEMS[rest]
        keys |= {"model": model, "service_tier": tier, "processing": processing}
    elif item:
        meter, quantity = FEES.get(item, f"item: {item}"), quantity if item in FEES else None
    else:
        meter, quantity = "", None
    value = number(amount.get("value"), where, "amount.value")
    return BillingRow(
        "openai.costs",
        where,
        start,
        end,
        keys,
        meter,
        None if quantity is None else number(quantity, where, "quantity"),
        value,
        text_of(amount.get("currency")).upper() or "USD",
        charge="credit" if value < 0 else "usage",
        noisy=True,
        identity=f"{item}|{one.get('project_id')}|{one.get('api_key_id')}",
    )
