"""`--account`: whose things a command is about. Imports: click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["any_account", "one_account"]

F = TypeVar("F", bound=Callable[..., Any])


def one_account(whose: str) -> Callable[[F], F]:
    """Give the option of a command that is about one account; `whose` is its help."""
    return click.option("--account", default="default", show_default=True, help=whose)


def any_account() -> Callable[[F], F]:
    """Give the option of a command that is about all accounts, or about one."""
    return click.option("--account", help="Only this account's.")
