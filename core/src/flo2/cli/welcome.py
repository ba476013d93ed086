"""What a start says: what was found, where data lies, and lines that work as they are printed.

The lines to copy (key, curl, Python) are never framed, wrapped or cut, whatever the width.
Imports: gateway, rich (on a terminal only).
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve, frozen

from flo2.cli.output import ask_console, program
from flo2.gateway.first_run import DEFAULT_ACCOUNT, Prepared, suggest_model, unused_variables
from flo2.secrets import Secret

if TYPE_CHECKING:
    from rich.console import Console

    from flo2.gateway import Gateway
    from flo2.gateway.resolve import Bound

__all__ = ["Welcome", "gather", "show"]

_PROMPT = "Say hello in five words."


@frozen
class Welcome:
    """All that a start has to say.

    Attributes:
        address: Where it serves, or "" when it does not.
        providers: One line for each provider that can be called.
        hints: What could be done next.
        missing: Installed providers that have no key yet.
        simulated: Whether only a simulated provider is there.
        model: The model of the examples, or None.
    """

    address: str
    data_dir: str
    store: str
    providers: tuple[str, ...]
    missing: tuple[str, ...]
    hints: tuple[str, ...]
    simulated: bool
    model: str | None
    admin: Secret | None = None
    key: Secret | None = None

    @property
    def is_first(self) -> bool:
        """Whether it holds a secret that is shown now, or never."""
        return self.admin is not None or self.key is not None

    def as_json(self) -> dict[str, Any]:
        """Write it for programs; secrets included, as this is the only time."""
        return {
            "address": self.address,
            "data_dir": self.data_dir,
            "store": self.store,
            "providers": list(self.providers),
            "model": self.model,
            "admin_token": None if self.admin is None else self.admin.reveal(),
            "key": None if self.key is None else self.key.reveal(),
        }


def gather(gateway: Gateway, prepared: Prepared, now_us: int) -> Callable[[str], Welcome]:
    """Collect what a start says, while the store is open.

    Returns:
        A function that takes the address, which is known once the server listens.
    """
    providers = gateway.providers
    have = {credential.provider: credential for credential in _usable(gateway)}
    real = [bound for name, bound in sorted(providers.items()) if name in have]
    free = [b for _, b in sorted(providers.items()) if not b.provider.facts.needs_key]
    keyless = [bound for bound in free if not bound.provider.facts.simulated]
    simulated = [bound for bound in free if bound.provider.facts.simulated]
    usable = [*real, *keyless] or simulated
    lines = []
    for bound in usable:
        credential = have.get(bound.name)
        what = "a reseller, " if bound.provider.facts.reseller else ""
        if credential is not None and credential.reference is not None:
            lines.append(f"{bound.name} ({what}key from {credential.reference})")
        elif credential is not None:
            lines.append(f"{bound.name} ({what}stored key)")
        elif bound.provider.facts.simulated:
            lines.append(f"{bound.name} (simulated answers, no money; until a provider is added)")
        else:
            lines.append(f"{bound.name} (needs no key)")
    missing = [
        name
        for name, bound in sorted(providers.items())
        if bound.provider.facts.needs_key and name not in have
    ]
    spare = unused_variables(gateway.store, providers, gateway.environ)
    hints = [
        f"{variable} is set and not used; to use it: flo2 providers add {name} --env {variable}"
        for name, variable in sorted(spare.items())
    ]
    welcome = Welcome(
        address="",
        data_dir=str(gateway.data_dir or "memory only"),
        store=gateway.store.kind,
        providers=tuple(lines),
        missing=tuple(missing),
        hints=tuple(hints),
        simulated=usable == simulated,
        model=_model(usable, gateway, now_us),
        admin=prepared.admin,
        key=None if prepared.key is None else prepared.key[1],
    )
    return lambda address: evolve(welcome, address=address)


def show(welcome: Welcome, environ: Mapping[str, str]) -> None:
    """Print it: with a frame and colour on a terminal, plain otherwise."""
    console = ask_console(environ)
    if console is not None:
        _frame(welcome, console)
    else:
        for line in _summary(welcome):
            click.echo(line)
    for title, lines in _sections(welcome):
        click.echo("")
        if title:
            click.echo(title if console is None else click.style(title, bold=True))
        for line in lines:
            click.echo(line)
    click.echo("")


def _frame(welcome: Welcome, console: Console) -> None:
    from rich.panel import Panel  # noqa: PLC0415  # for terminals only
    from rich.text import Text  # noqa: PLC0415

    text = Text("\n".join(_summary(welcome)), overflow="fold")
    text.highlight_regex(r"https?://\S+", "bold cyan")
    text.highlight_regex(r"(?m)^(?:providers|data)", "dim")
    title = f"[bold]flo2[/bold] {version('flo2')}"
    panel = Panel(text, title=title, title_align="left", border_style="cyan", padding=(0, 1))
    console.print(panel, soft_wrap=False)


def _summary(welcome: Welcome) -> list[str]:
    at = (
        f"serving on {welcome.address}"
        if welcome.address
        else f"ready; to serve: {program(sys.argv[0], os.environ)} serve"
    )
    lines = [at]
    heading = "providers  "
    for line in welcome.providers or ('none installed; try: pip install "flo2[all]"',):
        lines.append(heading + line)
        heading = " " * len(heading)
    lines.append(f"data       {welcome.data_dir}")
    return lines


def _sections(welcome: Welcome) -> Sequence[tuple[str, Sequence[str]]]:
    sections: list[tuple[str, Sequence[str]]] = []
    if welcome.key is not None:
        line = "Your key for clients; shown this once, only its hash is kept:"
        sections.append((line, [welcome.key.reveal()]))
    if welcome.admin is not None:
        line = "The admin token, for /api; shown this once:"
        sections.append((line, [welcome.admin.reveal()]))
    if welcome.key is not None and welcome.model is not None:
        address = welcome.address or "http://127.0.0.1:8787"
        key, model = welcome.key.reveal(), welcome.model
        sections.append(("Try it:", _curl(address, key, model)))
        sections.append(("Or in Python (pip install openai):", _openai(address, key, model)))
        sections.append(
            ("Or with Anthropic's SDK (pip install anthropic):", _anthropic(address, key, model))
        )
        sections.append(
            ("Or with Google's SDK (pip install google-genai):", _google(address, key, model))
        )
    sections.append(("", _next(welcome)))
    return sections


def _curl(address: str, key: str, model: str) -> list[str]:
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "{_PROMPT}"}}]}}'
    if address.startswith("unix:"):
        where = f"--unix-socket {shlex.quote(address.removeprefix('unix:'))} http://flo2"
    else:
        where = address
    headers = f"-H 'authorization: Bearer {key}' -H 'content-type: application/json'"
    return [f"curl -sS {where}/v1/chat/completions {headers} -d {shlex.quote(body)}"]


def _openai(address: str, key: str, model: str) -> list[str]:
    return [
        "from openai import OpenAI",
        f'client = OpenAI(base_url="{address}/v1", api_key="{key}")',
        f'messages = [{{"role": "user", "content": "{_PROMPT}"}}]',
        f'answer = client.chat.completions.create(model="{model}", messages=messages)',
        "print(answer.choices[0].message.content)",
    ]


def _anthropic(address: str, key: str, model: str) -> list[str]:
    return [
        "from anthropic import Anthropic",
        f'client = Anthropic(base_url="{address}", api_key="{key}")',
        f'messages = [{{"role": "user", "content": "{_PROMPT}"}}]',
        f'answer = client.messages.create(model="{model}", max_tokens=100, messages=messages)',
        "print(answer.content[0].text)",
    ]


def _google(address: str, key: str, model: str) -> list[str]:
    return [
        "from google import genai",
        f'client = genai.Client(api_key="{key}", http_options={{"base_url": "{address}"}})',
        f'answer = client.models.generate_content(model="{model}", contents="{_PROMPT}")',
        "print(answer.text)",
    ]


def _next(welcome: Welcome) -> list[str]:
    lines = list(welcome.hints)
    flo2 = program(sys.argv[0], os.environ)
    if welcome.missing:
        lines.append(f"add a provider   {flo2} providers add NAME   ({', '.join(welcome.missing)})")
    if welcome.model is None:
        lines.append(f"what to call     {flo2} models")
    lines.append(f"another key      {flo2} keys create NAME")
    lines.append(f"what it cost     {flo2} usage")
    return lines


def _usable(gateway: Gateway) -> list[Any]:
    return [
        credential
        for credential in gateway.store.credentials(DEFAULT_ACCOUNT)
        if credential.disabled_us is None and credential.provider in gateway.providers
    ]


def _model(usable: Sequence[Bound], gateway: Gateway, now_us: int) -> str | None:
    for bound in usable:
        if (model := suggest_model(bound, gateway.book, now_us)) is not None:
            return model
    return None
