"""`flo2 accounts`: the tenants of this gateway. Imports: stored, cli.bench."""

from __future__ import annotations

import re
from typing import Final

import click

from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, table
from flo2.cli.state import State, group
from flo2.errors import InvalidRequest
from flo2.instants import timestamp
from flo2.stored import Account

__all__ = ["accounts"]

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,62}[a-z0-9])?")


@group("accounts", default="list")
def accounts() -> None:
    """Create and list accounts: tenants that see nothing of each other."""


@accounts.command("list")
@click.pass_obj
def list_(state: State) -> None:
    """List accounts, and what each has."""
    with Bench(state) as bench:
        store = bench.store
        rows = [
            (each, len(store.keys(each.id)), len(store.credentials(each.id)))
            for each in store.accounts()
        ]
    if state.as_json:
        say_json([_as_json(each, keys, credentials) for each, keys, credentials in rows])
        return
    table(
        state,
        ["account", "keys", "provider keys", "since"],
        [[a.id, str(keys), str(own), timestamp(a.created_us)[:10]] for a, keys, own in rows],
        empty="no accounts yet; the first start makes one: flo2 serve",
    )


@accounts.command("create")
@click.argument("name")
@click.pass_obj
def create(state: State, *, name: str) -> None:
    """Create account NAME; one that is there already stays as it is."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} is no name for an account; use up to 64 of a-z, 0-9, '.', '_' and '-', "
            "beginning and ending with a letter or digit",
            param="name",
        )
    with Bench(state) as bench:
        known = {each.id: each for each in bench.store.accounts()}
        account = known.get(name) or Account(name, name, bench.now_us())
        if name not in known:
            bench.store.put_account(account)
    if state.as_json:
        say_json({**_as_json(account), "created": name not in known})
        return
    said = "is there already" if name in known else "is there"
    say(f"account {name} {said}; give it a provider key and a key of its own:")
    say(f"  flo2 providers add PROVIDER --account {name}")
    say(f"  flo2 keys create app --account {name}")


def _as_json(account: Account, *counts: int) -> dict[str, object]:
    facts: dict[str, object] = {
        "id": account.id,
        "name": account.name,
        "created_at": timestamp(account.created_us),
    }
    return facts | dict(zip(("keys", "credentials"), counts, strict=False))
