"""`flo2 providers`: the provider keys of accounts. A key never comes from the command line.

Imports: gateway, vault, secrets, cli.bench.
"""

from __future__ import annotations

from typing import Any

import anyio
import click

from flo2.cli.bench import Bench
from flo2.cli.key_input import ON_ARGV, may_be_key, read_key
from flo2.cli.output import say, say_json, table
from flo2.cli.probe import Probe, probe
from flo2.cli.state import State, group
from flo2.cli.whose import one_account
from flo2.errors import InvalidRequest, NotFound, SecretError
from flo2.gateway.first_run import credential_name
from flo2.instants import timestamp
from flo2.protocols import ListsModels
from flo2.secrets import is_reference, redact, resolve
from flo2.stored import SealedCredential

__all__ = ["providers"]

_ACCOUNT = one_account("Account the key belongs to.")


@group("providers", default="list")
def providers() -> None:
    """Add, list, test and remove provider keys."""


@providers.command("list")
@one_account("Whose keys to show.")
@click.pass_obj
def list_(state: State, *, account: str) -> None:
    """List the configured providers and the account's keys for them."""
    with Bench(state) as bench:
        known = dict(sorted(bench.bare_providers.items()))
        credentials = bench.store.credentials(account)
    rows: list[dict[str, Any]] = []
    for name, bound in known.items():
        facts = bound.provider.facts
        rows.append(
            {
                "name": name,
                "kind": bound.provider.kind,
                "host": bound.host,
                "needs_key": facts.needs_key,
                "simulated": facts.simulated,
                "reseller": facts.reseller,
                "key_env": facts.key_env,
                "credentials": [_as_json(c) for c in credentials if c.provider == name],
            }
        )
    if state.as_json:
        say_json(rows)
        return
    lines = []
    for row in rows:
        mine = row["credentials"]
        host = f"{row['host']} (reseller)" if row["reseller"] else row["host"]
        if not mine:
            need = f"none; flo2 providers add {row['name']}"
            note = "simulated" if row["simulated"] else need if row["needs_key"] else "needs none"
            lines.append([row["name"], host, note, ""])
        lines += [[row["name"], host, _kept(c), f"{c['id']} ({c['name']})"] for c in mine]
    table(
        state,
        ["provider", "host", "key", "credential"],
        lines,
        empty='no providers are installed; try: pip install "flo2[all]"',
    )


@providers.command("add", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the key from standard input.")
@click.option(
    "--file", "file", metavar="PATH", help="Read the key from a file once, and keep it sealed."
)
@click.option("--env", metavar="VARIABLE", help="Refer to a variable; read anew at each use.")
@click.option("--reference", metavar="REF", help="Refer to file:/path or a plugin's vault:name.")
@click.option("--project", help="Organisation or project at the provider.")
@click.option("--name", "label", help="What to call the key [the provider's name].")
@_ACCOUNT
@click.pass_obj
def add(
    state: State,
    *,
    name: str,
    rest: tuple[str, ...],
    from_stdin: bool,
    file: str | None,
    env: str | None,
    reference: str | None,
    project: str | None,
    label: str | None,
    account: str,
) -> None:
    """Add a key for provider NAME: from a hidden prompt, standard input, a file, or a variable.

    The key is sealed, bound to the account and to the provider's host, and never shown again.
    """
    given = (name, *rest, file, env, reference, project, label)
    if any(word is not None and may_be_key(word) for word in given) or any(
        word.lstrip("-").partition("=")[0].replace("_", "-") in {"key", "api-key", "token"}
        for word in rest
    ):
        raise click.UsageError(ON_ARGV)
    if rest:
        raise click.UsageError(f"there is nothing to do with {rest[0]!r}; see --help")
    sources = [from_stdin, file is not None, env is not None, reference is not None]
    if sum(sources) > 1:
        raise click.UsageError("give one of --stdin, --file, --env and --reference")
    with Bench(state) as bench:
        bound = bench.provider(name, bench.bare_providers)
        if not bound.host:
            raise InvalidRequest(f"provider {name!r} needs no key: it is reached without one")
        account = bench.account(account)
        taken = [c.name for c in bench.store.credentials(account) if c.provider == name]
        if label in taken:
            raise InvalidRequest(
                f"there is a key named {label!r} for {name!r} already; give another --name, or "
                f"remove it first: flo2 providers remove {label}"
            )
        label = label or credential_name(name, taken)
        where: dict[str, Any] = {"now_us": bench.now_us(), "project": project}
        ref = f"env:{env}" if env is not None else reference
        if ref is not None:
            if not is_reference(ref):
                raise SecretError("--reference takes env:NAME, file:/path or vault:name")
            made = bench.vault.add_reference(account, name, bound.host, label, ref, **where)
            _note_unset(ref, bench)
        else:
            secret = read_key(name, from_stdin=from_stdin, file=file)
            made = bench.vault.add(account, name, bound.host, label, secret, **where)
    if state.as_json:
        say_json(_as_json(made))
        return
    say(f"added {made.id} ({made.name}) for {name}, bound to {made.host}")
    say(f"check it: flo2 providers test {name}")


@providers.command("remove")
@click.argument("credential")
@_ACCOUNT
@click.pass_obj
def remove(state: State, *, credential: str, account: str) -> None:
    """Remove CREDENTIAL (its id or name); a running gateway follows within two seconds."""
    with Bench(state) as bench:
        found = [c for c in bench.store.credentials(account) if credential in {c.id, c.name}]
        if not found:
            raise NotFound(
                f"account {account!r} has no provider key {credential!r}; see: flo2 providers list"
            )
        if len(found) > 1:
            ids = ", ".join(c.id for c in found)
            raise InvalidRequest(f"several keys are named {credential!r}; give an id: {ids}")
        bench.store.delete_credential(account, found[0].id)
    if state.as_json:
        say_json(_as_json(found[0]))
    else:
        say(f"removed {found[0].id} ({found[0].name}) of {found[0].provider}")


@providers.command("test")
@click.argument("name")
@_ACCOUNT
@click.pass_obj
def test(state: State, *, name: str, account: str) -> int:
    """Ask provider NAME for its list of models with each of the account's keys; costs nothing."""
    with Bench(state) as bench:
        bound = bench.provider(name, bench.bare_providers)
        mine = [c for c in bench.store.credentials(account) if c.provider == name]
        if bound.provider.facts.needs_key and not mine:
            raise NotFound(
                f"no credential for provider {name!r} in account {account!r}; run: "
                f"flo2 providers add {name}"
            )
        tried: list[SealedCredential | None] = [*mine] or [None]
        results: list[tuple[str, Probe]] = anyio.run(_test_all, bench, bound, tried)
    if state.as_json:
        say_json([{"credential": who, "ok": p.ok, "detail": p.detail} for who, p in results])
    else:
        for who, result in results:
            click.echo(f"{'✓' if result.ok else '✗'} {who}: {redact(result.detail)}")
    return 0 if all(result.ok for _, result in results) else 1


async def _test_all(
    bench: Bench, bound: Any, credentials: list[SealedCredential | None]
) -> list[tuple[str, Probe]]:
    asks = isinstance(bound.provider, ListsModels)
    async with bench.wire:
        return [
            (
                bound.name if c is None else f"{c.id} ({c.name})",
                await probe(bench, bound, c, ask=asks),
            )
            for c in credentials
        ]


def _note_unset(reference: str, bench: Bench) -> None:
    """Say when a reference points nowhere yet: it may be set later, and in another process."""
    if reference.startswith("vault:"):
        return
    try:
        resolve(reference, environ=bench.environ)
    except SecretError as exc:
        say(f"note: {exc}")


def _kept(credential: dict[str, Any]) -> str:
    if credential["reference"]:
        return str(credential["reference"])
    return f"sealed, …{credential['last4']}" if credential["last4"] else "sealed"


def _as_json(credential: SealedCredential) -> dict[str, Any]:
    return {
        "id": credential.id,
        "account": credential.account,
        "provider": credential.provider,
        "host": credential.host,
        "name": credential.name,
        "reference": credential.reference,
        "last4": credential.last4,
        "project": credential.project,
        "created_at": timestamp(credential.created_us),
        "disabled": credential.disabled_us is not None,
    }
