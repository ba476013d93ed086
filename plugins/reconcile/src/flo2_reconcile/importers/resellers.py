"""OpenRouter's activity and xAI's usage: what their own APIs tell of each day.

Imports: importers.reading, times.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, ClassVar, Final
from urllib.parse import quote

from flo2 import COVERED, REQUESTS, BillingError, BillingRow, BillQuery, BillWindow
from flo2_reconcile.booked import ALL_INPUT, ALL_OUTPUT
from flo2_reconcile.importers.reading import (
    Plain,
    columns_of,
    json_head,
    lines_of,
    number,
    object_of,
    page_of,
    pages,
    text_of,
    whole,
)
from flo2_reconcile.times import DAY_US, instant_us, stamp

__all__ = ["OpenRouterActivity", "XaiUsage"]

_ACTIVITY: Final = ("date", "model", "usage", "requests", "prompt_tokens", "completion_tokens")
_IDENTITY: Final = ("date", "model", "model_permaslug", "endpoint_id", "provider_name")


class OpenRouterActivity(Plain):
    """`GET /api/v1/activity`: the last 30 complete UTC days, or the same as CSV.

    https://openrouter.ai/docs/api-reference/analytics/get-activity (read 2026-11): money in USD as
    JSON floats; `prompt_tokens` holds what was read from a cache. What the provider behind it
    charges for a key of one's own (`byok_usage_inference`) is on that provider's bill, not here.
    """

    kind: ClassVar[str] = "openrouter"
    base_url: ClassVar[str] = "https://openrouter.ai"

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by its fields."""
        if json_head(head, b'"model_permaslug"', b'"prompt_tokens"', b'"date"'):
            return True
        return {"model_permaslug", "prompt_tokens", "date"} <= columns_of(head)

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read days."""
        report = "openrouter.activity"
        for where, one in _activity(name, file):
            if missing := [field for field in _ACTIVITY if field not in one]:
                raise BillingError(f"{where}: no activity of OpenRouter: no {missing[0]!r}")
            start = instant_us(text_of(one["date"])[:10], f"{where}.date", naive=True)
            keys = {"provider": "openrouter", "model": text_of(one["model"])}
            identity = "|".join(text_of(one.get(field)) for field in _IDENTITY)
            span = (start, start + DAY_US)
            for meter, field in (
                (REQUESTS, "requests"),
                (ALL_INPUT, "prompt_tokens"),
                (ALL_OUTPUT, "completion_tokens"),
            ):
                count = whole(one[field], where, field)
                yield BillingRow(report, where, *span, keys, meter, count, identity=identity)
            amount = number(one["usage"], where, "usage")
            yield BillingRow(
                *(report, where, *span, keys, "", None, amount), noisy=True, identity=identity
            )

    def auth(self, secret: str) -> Sequence[tuple[str, str]]:
        """Give the header; a provisioning key is needed."""
        return [("authorization", f"Bearer {secret}")]

    def queries(self, window: BillWindow) -> Sequence[BillQuery]:
        """Ask for each day."""
        days = range(window.start_us - window.start_us % DAY_US, window.end_us, DAY_US)
        return [
            BillQuery(f"activity-{stamp(day)[:10]}", f"/api/v1/activity?date={stamp(day)[:10]}")
            for day in days
        ]

    def after(self, query: BillQuery, body: bytes) -> BillQuery | None:
        """Check that it is activity; a day is one page."""
        page_of(query, body, "data")
        return None


class XaiUsage(Plain):
    """`POST /v1/billing/teams/{team}/usage` of the Management API, in US dollars by day.

    https://docs.x.ai/docs/management-api/billing (not read here; the shape is that of its clients:
    `timeSeries` of `groupLabels` and `dataPoints`). A call's own exact charge stands in its answer,
    `cost_in_usd_ticks`, and is booked from there; this is the sum to hold it against.
    """

    kind: ClassVar[str] = "xai"
    base_url: ClassVar[str] = "https://management-api.x.ai"

    def recognises(self, name: str, head: bytes) -> bool:
        """Know it by its series."""
        return json_head(head, b'"timeSeries"')

    def rows(self, name: str, file: BinaryIO) -> Iterator[BillingRow]:
        """Read series."""
        keys = {"provider": "xai"}
        for where, page in pages(name, file):
            if not isinstance(page.get("timeSeries"), list):
                raise BillingError(f"{where}: no usage of xAI: no `timeSeries`")
            if page.get("limitReached") is True:
                raise BillingError(f"{where}: it was cut off at the API's limit; ask for less")
            for number_, series in enumerate(page["timeSeries"]):
                at = f"{where}#{number_}"
                labels = object_of(series, at).get("groupLabels") or ()
                for place, point in enumerate(series.get("dataPoints") or ()):
                    here = f"{at}.{place}"
                    start = instant_us(
                        text_of(object_of(point, here).get("timestamp")), here, naive=True
                    )
                    values = point.get("values") or [0]
                    yield BillingRow("xai.usage", here, start, start + DAY_US, keys, COVERED)
                    yield BillingRow(
                        *("xai.usage", here, start, start + DAY_US, keys, "", None),
                        number(values[0], here, "values"),
                        noisy=True,
                        identity="|".join(map(str, labels)),
                    )

    def auth(self, secret: str) -> Sequence[tuple[str, str]]:
        """Give the header; a management key is needed."""
        return [("authorization", f"Bearer {secret}"), ("content-type", "application/json")]

    def queries(self, window: BillWindow) -> Sequence[BillQuery]:
        """Ask for dollars by day.

        Raises:
            BillingError: the credential names no team.
        """
        if not window.project:
            raise BillingError(
                "xAI's usage is asked for by team; add the management key with --project TEAM-ID"
            )
        asked = {
            "analyticsRequest": {
                "timeRange": {
                    "startTime": stamp(window.start_us).replace("T", " ").removesuffix("Z"),
                    "endTime": stamp(window.end_us).replace("T", " ").removesuffix("Z"),
                    "timezone": "Etc/GMT",
                },
                "timeUnit": "TIME_UNIT_DAY",
                "values": [{"name": "usd", "aggregation": "AGGREGATION_SUM"}],
                "groupBy": ["description"],
                "filters": [],
            }
        }
        path = f"/v1/billing/teams/{quote(window.project, safe='')}/usage"
        return [BillQuery("usage", path, body=json.dumps(asked).encode())]

    def after(self, query: BillQuery, body: bytes) -> BillQuery | None:
        """Check that it is usage; there is one page."""
        page_of(query, body, "timeSeries")
        return None


def _activity(name: str, file: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    first = file.peek(1)[:1] if hasattr(file, "peek") else b"{"
    if first not in {b"{", b"["}:
        yield from lines_of(name, file, _ACTIVITY)
        return
    for where, page in pages(name, file):
        data = page.get("data")
        if not isinstance(data, list):
            raise BillingError(f"{where}: no activity of OpenRouter: no `data`")
        for place, one in enumerate(data):
            yield f"{where}#{place}", object_of(one, f"{where}#{place}")
