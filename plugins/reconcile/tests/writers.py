"""Bills as the providers write them, made of calls: one writer for each format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from flo2.money import add, divide, multiply, text

from .traffic import DAY, HOUR, MINUTE, START, Call, cost_of  # noqa: TID252  # no package

__all__ = ["FORMATS", "buckets", "pages_of"]

Files = Mapping[str, bytes]
WIDTHS = {"1m": MINUTE, "1h": HOUR, "1d": DAY}
_CLASSES = ("input_tokens", "cache_read_tokens", "output_tokens")


def rfc(us: int) -> str:
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def day(us: int) -> str:
    return rfc(us)[:10]


Group = tuple[Any, ...]


def grouped(
    calls: Iterable[Call], width: int, by: Callable[[Call], Group]
) -> dict[int, dict[Group, list[Call]]]:
    """Group calls by bucket and keys; every bucket of the two days is there."""
    found: dict[int, dict[Group, list[Call]]] = {
        start: {} for start in range(START, START + 2 * DAY, width)
    }
    for call in calls:
        found[call.at_us - call.at_us % width].setdefault(by(call), []).append(call)
    return found


def buckets(calls: Sequence[Call], width: str) -> int:
    """Say how many buckets a bill of this width has."""
    return len(grouped(calls, WIDTHS[width], lambda _: ()))


def meter(calls: Iterable[Call], name: str) -> int:
    return sum(call.meters.get(name, 0) for call in calls)


def money(calls: Iterable[Call], name: str | None = None) -> Decimal:
    amount = Decimal(0)
    for call in calls:
        for each, cost in cost_of(call).items():
            if name in {None, each}:
                amount = add(amount, cost)
    return amount


def pages_of(data: list[Any], shape: Callable[[list[Any]], Any], size: int) -> Files:
    """Cut buckets into pages."""
    cut = [data[at : at + size] for at in range(0, len(data), size)] or [[]]
    return {f"{n}.json": json.dumps(shape(page)).encode() for n, page in enumerate(cut)}


def openai_usage(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    made = []
    groups = grouped(calls, WIDTHS[width], lambda c: (c.project, c.key, c.model, c.batch, c.tier))
    for start, cells in groups.items():
        results = [
            {
                "object": "organization.usage.completions.result",
                "input_tokens": meter(some, "input_tokens") + meter(some, "cache_read_tokens"),
                "input_cached_tokens": meter(some, "cache_read_tokens"),
                "output_tokens": meter(some, "output_tokens"),
                "num_model_requests": len(some),
                "project_id": project,
                "user_id": None,
                "api_key_id": key,
                "model": model,
                "batch": batch,
                "service_tier": "default" if tier == "standard" else tier,
            }
            for (project, key, model, batch, tier), some in cells.items()
        ]
        made.append(_bucket(start, WIDTHS[width], results))
    return pages_of(made, _page, size)


def openai_costs(calls: Sequence[Call], width: str = "1d", size: int = 31) -> Files:
    words = {
        "input_tokens": "input",
        "cache_read_tokens": "cached input",
        "output_tokens": "output",
    }
    made = []
    for start, cells in grouped(
        calls, WIDTHS[width], lambda c: (c.project, c.model, c.batch, c.tier)
    ).items():
        results = []
        for (project, model, batch, tier), some in cells.items():
            way = " (batch)" if batch else f" ({tier})" if tier != "standard" else ""
            results += [
                {
                    "object": "organization.costs.result",
                    "amount": {"value": float(money(some, name)), "currency": "usd"},
                    "line_item": f"{model}, {word}{way}",
                    "project_id": project,
                    "api_key_id": None,
                    "quantity": float(meter(some, name)),
                }
                for name, word in words.items()
                if meter(some, name)
            ]
        made.append(_bucket(start, WIDTHS[width], results))
    return pages_of(made, _page, size)


def _bucket(start: int, width: int, results: list[Any]) -> dict[str, Any]:
    return {
        "object": "bucket",
        "start_time": start // 1_000_000,
        "end_time": (start + width) // 1_000_000,
        "results": results,
    }


def _page(data: list[Any]) -> dict[str, Any]:
    return {"object": "page", "data": data, "has_more": False, "next_page": None}


def openai_both(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    usage = {f"usage-{name}": body for name, body in openai_usage(calls, width, size).items()}
    return usage | {f"cost-{n}": body for n, body in openai_costs(calls, "1d", size).items()}


def _anthropic(width: int, start: int, results: list[Any]) -> dict[str, Any]:
    return {"starting_at": rfc(start), "ending_at": rfc(start + width), "results": results}


def anthropic_both(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    usage, costs = [], []
    for start, cells in grouped(
        calls, WIDTHS[width], lambda c: (c.project, c.key, c.model, c.batch, _window(c))
    ).items():
        results = [
            {
                "api_key_id": key,
                "workspace_id": project,
                "model": model,
                "service_tier": "batch" if batch else "standard",
                "context_window": window,
                "inference_geo": "global",
                "uncached_input_tokens": meter(some, "input_tokens"),
                "cache_read_input_tokens": meter(some, "cache_read_tokens"),
                "cache_creation": {
                    "ephemeral_5m_input_tokens": meter(some, "cache_write_5m_tokens"),
                    "ephemeral_1h_input_tokens": meter(some, "cache_write_1h_tokens"),
                },
                "output_tokens": meter(some, "output_tokens"),
                "server_tool_use": {"web_search_requests": 0},
            }
            for (project, key, model, batch, window), some in cells.items()
        ]
        usage.append(_anthropic(WIDTHS[width], start, results))
    tokens = {
        "input_tokens": "uncached_input_tokens",
        "cache_read_tokens": "cache_read_input_tokens",
        "cache_write_5m_tokens": "cache_creation.ephemeral_5m_input_tokens",
        "cache_write_1h_tokens": "cache_creation.ephemeral_1h_input_tokens",
        "output_tokens": "output_tokens",
    }
    for start, cells in grouped(
        calls, DAY, lambda c: (c.project, c.model, c.batch, _window(c))
    ).items():
        results = [
            {
                "amount": text(multiply(money(some, name), 100)),
                "currency": "USD",
                "cost_type": "tokens",
                "token_type": token,
                "description": f"{model} Usage - {token} {window} {batch}",
                "model": model,
                "workspace_id": project,
                "service_tier": "batch" if batch else "standard",
                "context_window": window,
                "inference_geo": "global",
            }
            for (project, model, batch, window), some in cells.items()
            for name, token in tokens.items()
            if meter(some, name)
        ]
        costs.append(_anthropic(DAY, start, results))
    made = {f"usage-{n}": body for n, body in pages_of(usage, _data, size).items()}
    return made | {f"cost-{n}": body for n, body in pages_of(costs, _data, size).items()}


def _data(data: list[Any]) -> dict[str, Any]:
    return {"data": data, "has_more": False, "next_page": None}


def _window(call: Call) -> str:
    whole = sum(n for name, n in call.meters.items() if name != "output_tokens")
    return "0-200k" if whole <= 200_000 else "200k-1M"


def _lines(calls: Sequence[Call], width: int) -> Iterable[tuple[int, str, str, str, list[Call]]]:
    for start, cells in grouped(calls, width, lambda c: (c.project, c.model)).items():
        for (project, model), some in cells.items():
            for name in _CLASSES:
                if meter(some, name):
                    yield start, project, model, name, some


def gcp_rows(calls: Sequence[Call], width: str) -> list[dict[str, Any]]:
    words = {
        "input_tokens": "input",
        "cache_read_tokens": "cached input",
        "output_tokens": "output",
    }
    return [
        {
            "service": {"id": "S", "description": "Gemini API"},
            "sku": {
                "id": f"{model}-{name}",
                "description": f"Generate content {words[name]} token count gemini {model} text",
            },
            "usage_start_time": rfc(start),
            "usage_end_time": rfc(start + WIDTHS[width]),
            "project": {"id": project},
            "cost": text(money(some, name)),
            "currency": "USD",
            "currency_conversion_rate": "1",
            "usage": {"amount": str(meter(some, name)), "unit": "count"},
            "credits": [],
            "invoice": {"month": "202611"},
            "cost_type": "regular",
        }
        for start, project, model, name, some in _lines(calls, WIDTHS[width])
    ]


def gcp(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del size
    lines = [json.dumps(row).encode() for row in gcp_rows(calls, width)]
    return {"export.jsonl": b"\n".join(lines) + b"\n"}


def gcp_csv(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del size
    flat = [
        {
            f"{column}.{inner}" if isinstance(value, dict) else column: leaf
            for column, value in row.items()
            if not isinstance(value, list)
            for inner, leaf in (value.items() if isinstance(value, dict) else [("", value)])
        }
        for row in gcp_rows(calls, width)
    ]
    return {"export.csv": _csv(flat)}


def aws(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del size
    words = {
        "input_tokens": "input-tokens",
        "cache_read_tokens": "cache-read-input-token-count",
        "output_tokens": "output-tokens",
    }
    rows = [
        {
            "bill_billing_period_start_date": "2026-11-01T00:00:00Z",
            "line_item_usage_account_id": project,
            "line_item_usage_start_date": rfc(start),
            "line_item_usage_end_date": rfc(start + WIDTHS[width]),
            "line_item_line_item_type": "Usage",
            "line_item_product_code": "AmazonBedrockFoundationModels",
            "line_item_usage_type": f"USE1-{model}-{words[name]}",
            "line_item_usage_amount": text(divide(meter(some, name), 1000)[0]),
            "pricing_unit": "1K tokens",
            "line_item_unblended_cost": text(money(some, name)),
            "line_item_currency_code": "USD",
        }
        for start, project, model, name, some in _lines(calls, WIDTHS[width])
    ]
    return {"cur.csv": _csv(rows)}


def azure(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del size, width
    words = {"input_tokens": "Inp", "cache_read_tokens": "cached Inp", "output_tokens": "Outp"}
    rows = [
        {
            "Date": f"{day(start)[5:7]}/{day(start)[8:]}/{day(start)[:4]}",
            "MeterCategory": "Azure OpenAI",
            "MeterSubCategory": "",
            "MeterName": f"{model} {words[name]} glbl Tokens",
            "Quantity": text(divide(meter(some, name), 1000)[0]),
            "UnitOfMeasure": "1K",
            "CostInBillingCurrency": text(multiply(money(some, name), 2)),
            "BillingCurrencyCode": "EUR",
            "exchangeRatePricingToBilling": "2",
            "ChargeType": "Usage",
            "ResourceName": project,
        }
        for start, project, model, name, some in _lines(calls, DAY)
    ]
    return {"azure.csv": _csv(rows)}


def focus(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del size, width
    words = {
        "input_tokens": "input_uncached",
        "cache_read_tokens": "input_cache_read",
        "output_tokens": "output",
    }
    rows = [
        {
            "BilledCost": text(cost_of(call)[name]),
            "BillingCurrency": "USD",
            "ChargeCategory": "Usage",
            "ChargeClass": "",
            "ChargePeriodStart": rfc(call.at_us - call.at_us % HOUR),
            "ChargePeriodEnd": rfc(call.at_us - call.at_us % HOUR + HOUR),
            "ConsumedQuantity": str(count),
            "ConsumedUnit": "Tokens",
            "InvoiceId": "nov",
            "ProviderName": "OpenAI",
            "SkuId": f"openai/{call.model}",
            "SkuMeter": words[name],
            "SkuPriceId": f"openai/{call.model}/{words[name]}/"
            + ("default/batch" if call.batch else call.tier),
            "SubAccountId": call.project,
        }
        for call in calls
        for name, count in call.meters.items()
    ]
    return {"focus.csv": _csv(rows)}


def openrouter(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del width
    data = [
        {
            "date": day(start),
            "model": model,
            "model_permaslug": model,
            "endpoint_id": "e",
            "provider_name": "P",
            "usage": float(money(some)),
            "byok_usage_inference": 0,
            "requests": len(some),
            "prompt_tokens": meter(some, "input_tokens") + meter(some, "cache_read_tokens"),
            "completion_tokens": meter(some, "output_tokens"),
            "reasoning_tokens": 0,
        }
        for start, cells in grouped(calls, DAY, lambda c: (c.model,)).items()
        for (model,), some in cells.items()
    ]
    return pages_of(data, lambda page: {"data": page}, size)


def xai(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del width, size
    points = [
        {"timestamp": rfc(start), "values": [float(money(cells.get((), [])))]}
        for start, cells in grouped(calls, DAY, lambda _: ()).items()
    ]
    series = [{"group": ["all"], "groupLabels": ["all"], "dataPoints": points}]
    return {"usage.json": json.dumps({"timeSeries": series, "limitReached": False}).encode()}


def dashboard(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    del size, width
    rows = [
        {
            "start_time_iso": rfc(start),
            "project_id": project,
            "api_key_id": key,
            "model": model,
            "service_tier": "default" if tier == "standard" else f"{tier}-tier",
            "batch": str(batch).lower(),
            "num_model_requests": len(some),
            "input_tokens": meter(some, "input_tokens") + meter(some, "cache_read_tokens"),
            "input_cached_tokens": meter(some, "cache_read_tokens"),
            "output_tokens": meter(some, "output_tokens"),
        }
        for start, cells in grouped(
            calls, DAY, lambda c: (c.project, c.key, c.model, c.batch, c.tier)
        ).items()
        for (project, key, model, batch, tier), some in cells.items()
    ]
    return {"dashboard.csv": _csv(rows)}


def console(calls: Sequence[Call], width: str, size: int = 31) -> Files:
    """Write a console's own columns, for a mapping file."""
    del size, width
    rows = [
        {
            "Tag": f"{day(start)[8:]}.{day(start)[5:7]}.{day(start)[:4]}",
            "Modell": model,
            "Anfragen": len(some),
            "Ein (k)": text(divide(meter(some, "input_tokens"), 1000)[0]),
            "Cache": meter(some, "cache_read_tokens"),
            "Aus": meter(some, "output_tokens"),
            "Kosten": text(money(some)),
        }
        for start, cells in grouped(calls, DAY, lambda c: (c.model,)).items()
        for (model,), some in cells.items()
    ]
    return {"konsole.csv": _csv(rows, ";")}


CONSOLE_MAPPING = """
provider = "acme"
time = "Tag"
time_format = "%d.%m.%Y"
timezone = "UTC"
width = "1d"
delimiter = ";"
[keys]
model = "Modell"
[meters]
requests = "Anfragen"
input_tokens = "Ein (k)"
cache_read_tokens = "Cache"
output_tokens = "Aus"
[units]
input_tokens = 1000
[amounts]
"" = "Kosten"
"""


def _csv(rows: Sequence[Mapping[str, Any]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue().encode()


FORMATS: Mapping[str, tuple[str, Callable[..., Files], tuple[str, ...]]] = {
    "openai": ("openai", openai_both, ("1m", "1h", "1d")),
    "openai-csv": ("openai", dashboard, ("1d",)),
    "anthropic": ("anthropic", anthropic_both, ("1m", "1h", "1d")),
    "gcp": ("google", gcp, ("1h", "1d")),
    "gcp-csv": ("google", gcp_csv, ("1h", "1d")),
    "aws-cur2": ("bedrock", aws, ("1h", "1d")),
    "azure": ("azure", azure, ("1d",)),
    "focus": ("openai", focus, ("1h",)),
    "openrouter": ("openrouter", openrouter, ("1d",)),
    "xai": ("xai", xai, ("1d",)),
    "mapped": ("acme", console, ("1d",)),
}
"""Format → provider, writer, widths."""
