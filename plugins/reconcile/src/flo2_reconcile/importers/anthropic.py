"""Anthropic's usage and cost reports, as its Admin API gives them.

https://docs.claude.com/en/api/admin-api/usage-cost/get-messages-usage-report and
…/get-cost-report (read 2026-11): RFC 3339 buckets of 1m, 1h or 1d; costs by day, as decimal strings
in cents. Usage does not count requests. Imports: importers.reading, words, times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import urlencode

from flo2 import COVERED, BillingError, BillingRow, BillQuery, BillWindow
from flo2.money import multiply
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
from flo2_reconcile.times import instant_us, stamp
from flo2_reconcile.words import geo, tier_and_processing

__all__ = ["AnthropicReports"]

_PROVIDER: Final = "anthropic"
_CENT: Final = Decimal("0.01")
_USAGE, _COSTS = "anthropic.usage", "anthropic.costs"
_METERS: Final = {
    "uncached_input_tokens": "input_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "output_tokens": "output_tokens",
}
_FEES: Final = {"web_search": "web_search_requests", "code_execution": "container_seconds"}
_IDENTITY: Final = (
    *("account_id", "api_key_id", "context_window", "inference_geo", "model", "service_account_id"),
    *("service_tier", "speed", "workspace_id"),
)
_LIMITS: Final = {"1m": 1440, "1h": 168, "1d": 31}
_GROUPS: Final = (
    *("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo"),
)


class AnthropicReports(Plain):
    """Pages of `/v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`."""

    kind: ClassVar[str] = "anthropic"
    base_url: ClassVar[str] = "https://api.anthropic.com"

    def recognises(self, name: str, head: bytes) -> bool:
        """Know a page by its buckets."""
        return json_head(head, b'"data"', b'"starting_at"', b'"ending_at"')

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read pages."""
        reports: set[str] = set()
        spans: list[tuple[str, int, int]] = []
        for where, page in pages(name, file):
            if not isinstance(page.get("data"), list):
                raise BillingError(f"{where}: no page of Anthropic's usage or costs (no `data`)")
            for place, bucket in enumerate(page["data"]):
                at = f"{where}#{place}"
                known = object_of(bucket, at)
                start = instant_us(text_of(known.get("starting_at")), f"{at}.starting_at")
                end = instant_us(text_of(known.get("ending_at")), f"{at}.ending_at")
                spans.append((at, start, end))
                for number_, result in enumerate(known.get("results") or ()):
                    here = f"{at}.{number_}"
                    one = object_of(result, here)
                    report = _COSTS if "amount" in one else _USAGE
                    reports.add(report)
                    yield from (_cost if report == _COSTS else _usage)(one, here, start, end)
        # Pages without any result do not say of which report they are.
        for report in reports or {f"{_PROVIDER}.*"}:
            for at, start, end in spans:
                yield BillingRow(report, at, start, end, {"provider": _PROVIDER}, COVERED)

    # Over the network ---------------------------------------------------------------------------

    def auth(self, secret: str) -> Sequence[tuple[str, str]]:
        """Give the headers; an admin key (`sk-ant-admin…`) is needed."""
        return [("x-api-key", secret), ("anthropic-version", "2023-06-01")]

    def queries(self, window: BillWindow) -> Sequence[BillQuery]:
        """Ask for usage and costs."""
        span = {"starting_at": stamp(window.start_us), "ending_at": stamp(window.end_us)}
        usage = [
            *span.items(),
            ("bucket_width", window.width),
            ("limit", _LIMITS[window.width]),
            *(("group_by[]", group) for group in _GROUPS),
        ]
        costs = [
            *span.items(),
            ("bucket_width", "1d"),
            ("limit", 31),
            ("group_by[]", "workspace_id"),
            ("group_by[]", "description"),
        ]
        return [
            BillQuery("usage", f"/v1/organizations/usage_report/messages?{urlencode(usage)}"),
            BillQuery("costs", f"/v1/organizations/cost_report?{urlencode(costs)}"),
        ]

    def after(self, query: BillQuery, body: bytes) -> BillQuery | None:
        """Follow `next_page`."""
        return next_query(query, page_of(query, body, "data"))


def _keys(one: Mapping[str, Any]) -> dict[str, str]:
    keys = {"provider": _PROVIDER}
    for name, field in (
        ("project", "workspace_id"),
        ("api_key", "api_key_id"),
        ("model", "model"),
        ("context_window", "context_window"),
    ):
        if one.get(field) is not None:
            keys[name] = text_of(one[field])
    if one.get("service_tier") is not None:
        keys["service_tier"], keys["processing"] = tier_and_processing(one["service_tier"])
    if one.get("inference_geo") is not None:
        keys["inference_geo"] = geo(one["inference_geo"])
    return keys


def _usage(one: Mapping[str, Any], where: str, start: int, end: int) -> Iterator[BillingRow]:
    made = object_of(one.get("cache_creation") or {}, f"{where}.cache_creation")
    tools = object_of(one.get("server_tool_use") or {}, f"{where}.server_tool_use")
    told = {
        "input_tokens": one.get("uncached_input_tokens"),
        "cache_read_tokens": one.get("cache_read_input_tokens"),
        "cache_write_5m_tokens": made.get("ephemeral_5m_input_tokens"),
        "cache_write_1h_tokens": made.get("ephemeral_1h_input_tokens"),
        "output_tokens": one.get("output_tokens"),
        "web_search_requests": tools.get("web_search_requests"),
    }
    keys = _keys(one)
    identity = "|".join(text_of(one.get(name)) for name in _IDENTITY)
    for meter, count in told.items():
        quantity = whole(count, where, meter)
        yield BillingRow(_USAGE, where, start, end, keys, meter, quantity, identity=identity)


def _cost(one: Mapping[str, Any], where: str, start: int, end: int) -> Iterator[BillingRow]:
    kind, token = text_of(one.get("cost_type")), text_of(one.get("token_type"))
    what = text_of(one.get("description"))
    meter = _METERS.get(token) if kind == "tokens" else _FEES.get(kind)
    cents = number(one.get("amount"), where, "amount")
    yield BillingRow(
        _COSTS,
        where,
        start,
        end,
        _keys(one),
        meter or f"item: {what or kind}",
        None,
        multiply(cents, _CENT),
        text_of(one.get("currency")).upper() or "USD",
        charge="credit" if cents < 0 else "usage",
        identity=f"{what}|{kind}|{token}|" + "|".join(text_of(one.get(k)) for k in _IDENTITY),
    )
