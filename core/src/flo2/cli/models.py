"""`flo2 models`: what can be called, and its prices.

Imports: gateway, prices, cli.bench.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say_json, table
from flo2.cli.price_text import list_prices
from flo2.cli.state import State, command
from flo2.gateway.catalogue import list_models
from flo2.gateway.directory import read_snapshot
from flo2.protocols import Facts
from flo2.stored import IssuedKey

__all__ = ["models"]


@command()
@click.argument("contains", required=False)
@click.option("--account", default="default", show_default=True, help="Whose models.")
@click.pass_obj
def models(state: State, *, contains: str | None, account: str) -> None:
    """List the models that can be called, with their prices; CONTAINS narrows the list.

    Prices are list prices in USD for a million tokens of input and of output, in the provider's
    standard tier. Any other model of a provider can be called too, as PROVIDER/MODEL.
    """
    with Bench(state) as bench:
        tenant = read_snapshot(bench.store).tenant(account)
        anyone = IssuedKey("", account, "", "", "", "", 0)
        now = bench.now_us()
        rows: list[dict[str, Any]] = []
        for info in list_models(anyone, tenant, bench.providers):
            if contains is not None and contains not in info.id:
                continue
            bound = bench.providers.get(info.provider)
            model = info.id.partition("/")[2]
            prices = {} if bound is None else list_prices(bench.book, bound.priced_as, model, now)
            facts = Facts() if bound is None else bound.provider.facts
            rows.append(
                {
                    "id": info.id,
                    "provider": info.provider,
                    "name": info.display_name,
                    "simulated": facts.simulated,
                    "reseller": facts.reseller,
                    "input_usd_per_million": prices.get("input_tokens"),
                    "output_usd_per_million": prices.get("output_tokens"),
                }
            )
    if state.as_json:
        say_json(rows)
        return
    table(
        state,
        ["model", "input $/M", "output $/M", ""],
        [
            [
                row["id"],
                row["input_usd_per_million"] or "",
                row["output_usd_per_million"] or "",
                _remark(row),
            ]
            for row in rows
        ],
        right=["input $/M", "output $/M"],
        empty=(
            "no models; add a provider: flo2 providers add NAME"
            if contains is None
            else f"no model with {contains!r} among those of your providers; see: flo2 models"
        ),
    )


def _remark(row: Mapping[str, Any]) -> str:
    """Say what a model is called, and whether it is not quite what its name says."""
    name = str(row["name"] or ("simulated" if row["simulated"] else ""))
    return f"{name} (through a reseller)".lstrip() if row["reseller"] else name
