"""`flo2 models`: what can be called, and its prices.

Imports: gateway, prices, cli.bench.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import anyio
import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.state import State, command
from flo2.cli.whose import one_account
from flo2.gateway.catalogue import Catalogue
from flo2.gateway.directory import Tenant, read_snapshot
from flo2.model_facts import ModelFacts
from flo2.protocols import Facts
from flo2.stored import IssuedKey

__all__ = ["models"]

_THOUSAND, _MILLION = 1000, 1_000_000
# What a model takes and can, one letter each: a line with nine words does not fit a terminal.
_TAKES = {"image": "i", "audio": "a", "video": "v", "file": "f"}
_CAN = {
    "tools": "t",
    "json_schema": "j",
    "reasoning": "r",
    "prompt_caching": "c",
    "web_search": "w",
}
_LETTERS = (
    "takes: i image, a audio, v video, f file\n"
    "can: t tools, j JSON schema, r reasoning, c prompt caching, w web search"
)


@command()
@click.argument("contains", required=False)
@one_account("Whose models.")
@click.option("--offline", is_flag=True, help="Ask no provider; list what the price book names.")
@click.pass_obj
def models(state: State, *, contains: str | None, account: str, offline: bool) -> None:
    """List the models that can be called, with their prices; CONTAINS narrows the list.

    Each provider is asked with the account's own keys, which costs nothing; of one that gives no
    list, the models that the price book names are shown. Prices are list prices in USD for a
    million tokens of input and of output, in the provider's standard tier. Any other model of a
    provider can be called too, as PROVIDER/MODEL.

    What a model takes and can is said in letters, and in words with --json, where the source of it
    stands as well; blank is what nobody has said.
    """
    with Bench(state) as bench:
        tenant = read_snapshot(bench.store).tenant(account)
        anyone = IssuedKey("", account, "", "", "", "", 0)
        catalogue = Catalogue(bench.providers, bench.book, bench.now_us, time.monotonic)
        if not offline and tenant.credentials:
            anyio.run(_ask, bench, catalogue, tenant)
        rows: list[dict[str, Any]] = []
        for info in catalogue.models(anyone, tenant):
            if contains is not None and contains not in info.id:
                continue
            bound = bench.providers.get(info.provider)
            facts = Facts() if bound is None else bound.provider.facts
            rows.append(
                {
                    "id": info.id,
                    "provider": info.provider,
                    "name": info.display_name,
                    "simulated": facts.simulated,
                    "reseller": facts.reseller,
                    "input_usd_per_million": info.prices.get("input_tokens"),
                    "output_usd_per_million": info.prices.get("output_tokens"),
                    **_facts(info.facts),
                }
            )
    if state.as_json:
        say_json(rows)
        return
    table(
        state,
        # The name last: some are so long that a column of them would fill the terminal.
        ["in $/M", "out $/M", "context", "output", "takes", "can", "model"],
        [
            [
                row["input_usd_per_million"] or "",
                row["output_usd_per_million"] or "",
                _tokens(row["context_window"]),
                _tokens(row["max_output_tokens"]),
                _letters(_TAKES, row["input"], row["source"]),
                _letters(_CAN, row["abilities"], row["source"]),
                f"{row['id']}{_remark(row)}",
            ]
            for row in rows
        ],
        right=["in $/M", "out $/M", "context", "output"],
        empty=(
            "no models; add a provider: flo2 providers add NAME"
            if contains is None
            else f"no model with {contains!r} among those of your providers; see: flo2 models"
        ),
    )
    if any(row["source"] for row in rows):
        say(_LETTERS)


def _letters(names: Mapping[str, str], has: list[str], source: str | None) -> str:
    """Write which of some abilities a model has, each in its place; "" when nothing is known."""
    if source is None:
        return ""
    return "".join(letter if name in has else "-" for name, letter in names.items())


def _remark(row: Mapping[str, Any]) -> str:
    """Say what a line is where it is not simply a model that writes."""
    made = [each for each in row["output"] if each != "text"]
    words = {
        str(row["name"]): row["provider"] == "flo2",
        "simulated": row["simulated"],
        "reseller": row["reseller"],
        f"makes {' and '.join(made)}": bool(made),
    }
    found = ", ".join(word for word, said in words.items() if said)
    return f" ({found})" if found else ""


async def _ask(bench: Bench, catalogue: Catalogue, tenant: Tenant) -> None:
    async with bench.wire:
        await catalogue.ask(tenant, bench.opened)


def _facts(facts: ModelFacts | None) -> dict[str, Any]:
    """Write what is known of a model, with where it is said."""
    if facts is None:
        return {
            "context_window": None,
            "max_output_tokens": None,
            "input": [],
            "output": [],
            "abilities": [],
            "source": None,
        }
    return {
        "context_window": facts.context_window,
        "max_output_tokens": facts.max_output_tokens,
        "input": sorted(facts.input),
        "output": sorted(facts.output),
        "abilities": sorted(facts.abilities),
        "source": f"{facts.source} (read {facts.read.isoformat()})",
    }


def _tokens(number: int | None) -> str:
    """Write a number of tokens as people do: `200k`, `1M`."""
    if number is None:
        return ""
    if number >= _MILLION:
        return f"{number / _MILLION:.3g}M"
    return f"{number / _THOUSAND:.3g}k"
