"""Measure the price book: loading it, its memory, and pricing one call.

    python benchmarks/prices.py

The book is the one that a gateway makes of the installed sources. Loading is CPU time of a fresh
interpreter, without importing flo2; pricing is the best of several rounds, for three lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import timeit
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from flo2.canonical import Usage
from flo2.prices import PricingContext, build
from flo2_pricing_list import GenaiPrices, PriceList

ROUNDS: Final = 7
CALLS: Final = 20_000
LOAD: Final = """
import gc, resource, time
from flo2.config import Config
from flo2.gateway.runtime import make_book
from flo2.plugins import Plugins
from flo2.services import Services
from flo2.wire import Wire
plugins, services = Plugins.load(), Services(wire=Wire())
[plugins.get("pricing", kind) for kind in plugins.kinds("pricing")]
def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
before, begin = resident(), time.process_time()
book = make_book(Config(), plugins, services)
spent = time.process_time() - begin
models = sum(len(book.models(provider)) for provider in book.providers())
print(spent * 1e3, (resident() - before) / 2**20, len(book.rows), models)
"""
CASES: Final[Mapping[str, tuple[str, str, Mapping[str, str]]]] = {
    "curated": ("openai", "gpt-4o", {"service_tier": "default"}),
    "by length of the prompt": ("openai", "gpt-6.1-sol", {}),
    "by the hour": ("deepseek", "deepseek-v4-flash", {}),
    "third party": ("openrouter", "openai/gpt-4o", {}),
}


def load() -> tuple[float, float, int, int]:
    """Give the best of several loads: CPU in ms, MB, rows, models."""
    found = []
    for _ in range(ROUNDS):
        out = subprocess.run(
            [sys.executable, "-c", LOAD], check=True, capture_output=True, text=True, env=os.environ
        ).stdout.split()
        found.append((float(out[0]), float(out[1]), int(out[2]), int(out[3])))
    return min(found)


def price() -> Mapping[str, tuple[float, float]]:
    """Give, by case, µs of the first call of a model and of those that follow."""
    usage = Usage({"input_tokens": 1200, "cache_read_tokens": 300, "output_tokens": 250})
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    book = build([PriceList().layer(), GenaiPrices().layer()])
    found = {}
    for name, (provider, model, said) in CASES.items():
        context = PricingContext(provider, "chat", model, model, at, said)

        def call(context: PricingContext = context) -> int:
            return len(book.price(usage, context).lines)

        first = timeit.timeit(call, number=1)
        if call() != 3:
            raise SystemExit(f"{name}: {book.price(usage, context).reason}")
        best = min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS
        found[name] = first * 1e6, best * 1e6
    return found


def main() -> None:
    """Print it all."""
    spent, memory, rows, models = load()
    print(f"load {rows} rows of {models} models: {spent:.1f} ms CPU, {memory:.1f} MB")
    for name, (first, best) in price().items():
        print(f"price three lines, {name}: {best:.2f} µs (first call of the model {first:.0f} µs)")


if __name__ == "__main__":
    main()
