"""Contracts as the store keeps them: one declaration for each dated version.

Blocking. Imports: contracts, prices, stored, stores, errors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from attrs import frozen

from flo2.contracts import AccountContracts, Contract, as_json, read_contract
from flo2.contracts.scope import Scope
from flo2.errors import ContractError, NotFound
from flo2.instants import instant
from flo2.prices import PriceBook
from flo2.stored import Declaration
from flo2.stores import Store

__all__ = [
    "KIND",
    "Declared",
    "account_contracts",
    "check_contract",
    "declared",
    "put_contract",
    "read_contracts",
    "remove_contract",
]

KIND: Final = "contract"
_WILD: Final = re.compile(r"[*?\[]")
_LEAD: Final = timedelta(seconds=2)
"""By then every worker knows what was declared."""


@frozen
class Declared:
    """A version of a contract, and the document it was read from."""

    account: str
    contract: Contract
    document: Mapping[str, Any]
    changed_us: int


def declared(store: Store, account: str | None = None) -> list[Declared]:
    """Give every version of every contract.

    Raises:
        ContractError: one cannot be read.
    """
    return [
        Declared(each.account, _contract(each), each.document, each.changed_us)
        for each in store.declarations(KIND, account)
    ]


def read_contracts(store: Store) -> Mapping[str, AccountContracts]:
    """Give the contracts of every account that has any, for the request path.

    A contract that cannot be read stops no gateway: it leaves its own account unpriced.
    """
    by_account: dict[str, list[Declaration]] = {}
    for each in store.declarations(KIND):
        by_account.setdefault(each.account, []).append(each)
    return {account: _read(found) for account, found in by_account.items()}


def account_contracts(store: Store, account: str) -> AccountContracts:
    """Give the contracts of an account; without any, none is ever in force."""
    return _read(store.declarations(KIND, account))


def check_contract(
    store: Store, book: PriceBook, account: str, name: str, document: object, now_us: int
) -> tuple[Contract, list[str]]:
    """Check a new version of a contract against all others of the account, and the price book.

    A version of the same date that has not begun is not among those: it would be replaced.

    Returns:
        It, and advice: names that the list does not know, or knows by more names than are given.

    Raises:
        ContractError: with everything that is wrong.
    """
    contract = read_contract(name, document)
    others = [
        each.contract
        for each in declared(store, account)
        if each.contract.id != contract.id and not _gives_way(each.contract, contract, now_us)
    ]
    problems = AccountContracts([*others, contract]).problems(book.defaults)
    known = set(book.providers())
    for provider in sorted({rate.row.provider for rate in contract.rates} & known):
        if (currency := book.currency(provider)) != contract.currency:
            problems.append(
                f"contract {name!r} is in {contract.currency}, the prices of {provider!r} are in "
                f"{currency}; state the contract in {currency}"
            )
    if problems:
        raise ContractError(problems)
    return contract, list(_advice(book, contract))


def put_contract(
    store: Store, account: str, contract: Contract, document: Mapping[str, Any], now_us: int
) -> bool:
    """Declare a checked version; False when it is there already.

    A version that has not begun yet is replaced by another of the same date.
    """
    for each in declared(store, account):
        if each.contract.id == contract.id:
            return False
        if _gives_way(each.contract, contract, now_us):
            store.delete_declaration(account, KIND, each.contract.id)
    store.put_declaration(Declaration(account, KIND, contract.id, as_json(document), now_us))
    return True


def remove_contract(store: Store, account: str, name: str, now_us: int) -> Contract | None:
    """End a contract: what it priced keeps its terms.

    Versions that have not begun are withdrawn, and so are those that cannot be read.

    Returns:
        The version without terms that ends it; None where nothing of it had begun.

    Raises:
        NotFound: the account has no such contract.
    """
    found = [each for each in store.declarations(KIND, account) if _name(each) == name]
    if not found:
        raise NotFound(f"account {account!r} has no contract {name!r}; see: flo2 contracts list")
    versions: list[Contract] = []
    for each in found:
        try:
            versions.append(_contract(each))
        except ContractError:  # nothing was priced by it
            store.delete_declaration(account, KIND, each.name)
    end = (instant(now_us) + _LEAD).replace(microsecond=0)
    begun = [each for each in versions if each.validity.since < end]
    for version in versions:
        if version not in begun:
            store.delete_declaration(account, KIND, version.id)
    if not begun:
        return None
    document = {"valid_from": end.isoformat()}
    last = read_contract(name, document)
    store.put_declaration(Declaration(account, KIND, last.id, document, now_us))
    return last


def _gives_way(old: Contract, new: Contract, now_us: int) -> bool:
    same = old.name == new.name and old.validity.since == new.validity.since
    return same and old.validity.since > instant(now_us)


def _read(found: Iterable[Declaration]) -> AccountContracts:
    try:
        contracts = AccountContracts([_contract(each) for each in found])
    except ContractError as exc:
        return AccountContracts((), unreadable=f"a contract of the account cannot be read: {exc}")
    if problems := contracts.problems({}):  # two were declared in the same moment
        said = f"contracts of the account contradict each other: {'; '.join(problems)}"
        return AccountContracts(contracts.versions, unreadable=said)
    return contracts


def _contract(declaration: Declaration) -> Contract:
    contract = read_contract(_name(declaration), declaration.document)
    if contract.id != declaration.name:
        said = f"what is stored as {declaration.name!r} is {contract.id!r}: it was edited"
        raise ContractError([said])
    return contract


def _name(declaration: Declaration) -> str:
    return declaration.name.rpartition("@")[0] or declaration.name


def _advice(book: PriceBook, contract: Contract) -> Iterable[str]:
    said: set[str] = set()
    known = book.providers()
    for provider in _named_providers(contract) - set(known):
        near = difflib.get_close_matches(provider, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        said.add(f"the list knows no provider {provider!r}{hint}")
    for rate in contract.rates:
        provider = rate.row.provider
        for model in rate.row.models:
            rows = book.rows_for(provider, model)
            if not rows and provider in known:
                said.add(f"the list knows no model {model!r} of provider {provider!r}")
            others = {name for row in rows for name in row.models if model in row.models}
            for other in sorted(others - {model}):
                if not any(
                    each.row.provider == provider and _covers(each.models, other)
                    for each in contract.rates
                ):
                    said.add(
                        f"the list prices {other!r} as it does {model!r} of {provider!r}, and the "
                        "contract does not name it: calls billed by that name pay list price"
                    )
    return sorted(said)


def _named_providers(contract: Contract) -> set[str]:
    scopes = [
        *(each.scope for each in contract.discounts),
        *(each.scope for each in contract.capacity),
        *(each.scope for each in contract.allowances),
        *(each.scope for each in contract.volume_tiers),
        *(each.scope for each in contract.commitments),
        *(each.scope for each in contract.credits),
    ]
    named = {name for scope in scopes for name in scope.providers if not _WILD.search(name)}
    return named | {rate.row.provider for rate in contract.rates}


def _covers(patterns: Iterable[str], name: str) -> bool:
    return Scope(models=tuple(patterns)).covers_model("", name)
