"""`flo2 keys`: the keys that clients use, and the admin token.

Imports: keys, vault, cli.bench.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from attrs import evolve

from flo2.cli.attribution import changed_rules, rule_lines, rule_options
from flo2.cli.bench import Bench
from flo2.cli.output import say, say_json, secret_line, table
from flo2.cli.parse import duration_s, pair
from flo2.cli.state import State, group
from flo2.cli.whose import any_account, one_account
from flo2.errors import ConfigError, InvalidRequest, NotFound
from flo2.gateway.first_run import has_admin
from flo2.gateway.key_json import key_json
from flo2.instants import timestamp
from flo2.keys import issue, issue_admin, revoke, rotate
from flo2.secrets import Secret
from flo2.stored import IssuedKey
from flo2.vault import append_kek

__all__ = ["keys"]

_ACCOUNT = one_account("Account the key belongs to.")


@group("keys", default="list")
def keys() -> None:
    """Issue, list, rotate and revoke the keys that clients use."""


@keys.command("create")
@click.argument("name")
@click.option("--team", help="Team its calls belong to.")
@click.option(
    "--model", "models", multiple=True, help="Model pattern it may use; repeatable [all]."
)
@click.option("--expires", metavar="TIME", help="How long it works, such as 30d or 12h [for ever].")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Tag of its calls.")
@rule_options
@_ACCOUNT
@click.pass_obj
def create(
    state: State,
    /,
    *,
    name: str,
    team: str | None,
    models: tuple[str, ...],
    expires: str | None,
    tags: tuple[str, ...],
    account: str,
    **rules: Any,
) -> None:
    """Issue a key and show it, this once."""
    attribution = changed_rules(None, **rules)
    with Bench(state) as bench:
        now = bench.now_us()
        record, secret = issue(
            bench.store,
            bench.account(account),
            name,
            pepper=bench.pepper,
            now_us=now,
            team=team,
            models=models,
            expires_us=None if expires is None else now + duration_s(expires) * 1_000_000,
            tags=dict(pair(tag) for tag in tags),
            attribution=attribution,
        )
    _show_new(state, record, secret)


@keys.command("update")
@click.argument("key")
@rule_options
@click.option("--clear", multiple=True, metavar="LABEL", help="Drop LABEL's rule; all: every one.")
@_ACCOUNT
@click.pass_obj
def update(state: State, /, *, key: str, account: str, **rules: Any) -> None:
    """Change what calls of KEY (its id or name) must and may say about whom they are for."""
    with Bench(state) as bench:
        record = find_key(bench, account, key)
        record = evolve(record, attribution=changed_rules(record.attribution, **rules))
        bench.store.put_key(record)
        now = bench.now_us()
    if state.as_json:
        say_json(_as_json(record, now))
        return
    say(f"key {record.id} ({record.name}); a running gateway follows within two seconds")
    for line in rule_lines(record.attribution):
        say(f"  {line}")


@keys.command("list")
@any_account()
@click.option("--all", "ended", is_flag=True, help="Also revoked and expired ones.")
@click.pass_obj
def list_(state: State, *, account: str | None, ended: bool) -> None:
    """List keys; of each one only its beginning and its end."""
    with Bench(state) as bench:
        now = bench.now_us()
        found = [
            key
            for key in bench.store.keys(account)
            if ended or _standing(key, now) not in {"revoked", "expired"}
        ]
    if state.as_json:
        say_json([_as_json(key, now) for key in found])
        return
    table(
        state,
        ["id", "name", "key", "account", "team", "models", "created", "state"],
        [
            [
                key.id,
                key.name,
                f"{key.prefix}…{key.last4}",
                key.account,
                key.team or "",
                ", ".join(key.models) or "all",
                timestamp(key.created_us)[:10],
                _told(key, now),
            ]
            for key in found
        ],
        empty="no keys; make one: flo2 keys create NAME",
    )


@keys.command("rotate")
@click.argument("key")
@click.option("--grace", default="24h", show_default=True, help="How long the old key still works.")
@_ACCOUNT
@click.pass_obj
def rotate_(state: State, *, key: str, grace: str, account: str) -> None:
    """Issue a successor to KEY (its id or name); both work until the grace is over."""
    with Bench(state) as bench:
        record, secret = rotate(
            bench.store,
            find_key(bench, account, key),
            grace_s=duration_s(grace),
            pepper=bench.pepper,
            now_us=bench.now_us(),
        )
    _show_new(state, record, secret)


@keys.command("revoke")
@click.argument("key")
@_ACCOUNT
@click.pass_obj
def revoke_(state: State, *, key: str, account: str) -> None:
    """End KEY (its id or name) now; a running gateway follows within two seconds."""
    with Bench(state) as bench:
        ended = revoke(bench.store, find_key(bench, account, key), now_us=bench.now_us())
    if state.as_json:
        say_json(_as_json(ended, ended.revoked_us or 0))
    else:
        say(f"revoked {ended.id} ({ended.name})")


@keys.command("admin")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def admin(state: State, *, yes: bool) -> None:
    """Make a new admin token and show it, this once; the old one ends at once."""
    with Bench(state) as bench:
        if not yes and has_admin(bench.store):
            click.confirm("The admin token in use ends at once. Go on?", abort=True, err=True)
        secret = issue_admin(bench.store, pepper=bench.pepper)
    if state.as_json:
        say_json({"admin_token": secret.reveal()})
    else:
        say("the admin token; shown this once:")
        secret_line(secret.reveal())


@keys.command("rewrap")
@click.option("--new", is_flag=True, help="First add a new version to the key file.")
@click.pass_obj
def rewrap(state: State, *, new: bool) -> None:
    """Wrap all data keys under the newest key-encryption key; calls go on."""
    with Bench(state) as bench:
        if new:
            reference = bench.config.secrets.kek
            if reference and not reference.startswith("file:"):
                raise ConfigError(
                    [
                        (
                            f"the key-encryption key is {reference!r}, which flo2 does not write; "
                            "add a line there yourself, restart, then run this without --new"
                        )
                    ]
                )
            path = Path(reference.removeprefix("file:")) if reference else bench.data_dir / "kek"
            append_kek(path)
        done = bench.vault.rewrap()
    if state.as_json:
        say_json({"rewrapped": done})
    else:
        say(f"wrapped {done} data {'key' if done == 1 else 'keys'} anew")
        if new:
            say("a running gateway reads the key file at its start: restart it now")


def find_key(bench: Bench, account: str, wanted: str) -> IssuedKey:
    """Find a key by its id or its name.

    Raises:
        NotFound: there is none.
        InvalidRequest: several have the name.
    """
    mine = bench.store.keys(account)
    by_id = [key for key in mine if key.id == wanted]
    now = bench.now_us()
    found = by_id or [
        key for key in mine if key.name == wanted and _standing(key, now) in {"works", "ending"}
    ]
    if not found:
        raise NotFound(
            f"account {account!r} has no key {wanted!r} that works; see: flo2 keys list --all",
            param="key",
        )
    if len(found) > 1:
        ids = ", ".join(key.id for key in found)
        raise InvalidRequest(f"several keys are named {wanted!r}; give an id: {ids}", param="key")
    return found[0]


def _show_new(state: State, record: IssuedKey, secret: Secret) -> None:
    if state.as_json:
        say_json({**_as_json(record, record.created_us), "key": secret.reveal()})
        return
    say(f"key {record.id} ({record.name}); shown this once, only its hash is kept:")
    secret_line(secret.reveal())


def _standing(key: IssuedKey, now_us: int) -> str:
    if key.revoked_us is not None and key.revoked_us <= now_us:
        return "revoked"
    if key.expires_us is not None and key.expires_us <= now_us:
        return "expired"
    return "ending" if key.expires_us is not None else "works"


def _told(key: IssuedKey, now_us: int) -> str:
    standing = _standing(key, now_us)
    if standing != "ending" or key.expires_us is None:
        return standing
    return f"until {timestamp(key.expires_us)[:16]}Z"


def _as_json(key: IssuedKey, now_us: int) -> dict[str, object]:
    return {**key_json(key), "state": _standing(key, now_us)}
