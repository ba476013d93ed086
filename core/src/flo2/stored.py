"""What a store keeps besides the ledger: accounts, keys, credentials, routes, declarations.

Pure data. Imports: nothing of flo2.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from attrs import field, frozen

__all__ = [
    "Account",
    "AttributionRules",
    "DataKey",
    "Declaration",
    "IssuedKey",
    "LabelRule",
    "RouteSpec",
    "SealedCredential",
    "TargetSpec",
]


@frozen
class Account:
    """A tenant."""

    id: str
    name: str
    created_us: int


@frozen
class LabelRule:
    """What a key's calls may say of one label, such as their customer.

    Attributes:
        default: What a call is for that says nothing, or None.
        allowed: Patterns (fnmatch) of what a call may say; empty: anything.
        required: A call that says nothing, and has no default, is refused.
    """

    default: str | None = None
    allowed: tuple[str, ...] = ()
    required: bool = False


@frozen
class AttributionRules:
    """What a key's calls must and may say about whom they are for.

    Attributes:
        feature, customer, end_user: Rules for these labels, or None: anything goes.
        tags: Rules for tags by their names.
        other_tags: Whether a call may state tags that have no rule.
    """

    feature: LabelRule | None = None
    customer: LabelRule | None = None
    end_user: LabelRule | None = None
    tags: Mapping[str, LabelRule] = field(factory=dict)
    other_tags: bool = True


@frozen
class IssuedKey:
    """A key flo2 gave out; the key itself is not kept, only its keyed hash.

    Attributes:
        id: Public id, for people and the ledger.
        hash: Keyed hash of the whole key, hex (see `flo2.keys`).
        prefix, last4: What people recognise it by.
        team: Team the key belongs to, or None.
        models: Model patterns (fnmatch) it may use; empty: all of the account's.
        expires_us, revoked_us: When it stops working, or None.
        replaced_by: Id of the key that a rotation made, or None.
        lineage: Id of the first key of the rotations that led to this one; None: itself.
        attribution: What its calls must and may say about whom they are for; None: no rules.
    """

    id: str
    account: str
    name: str
    hash: str
    prefix: str
    last4: str
    created_us: int
    team: str | None = None
    models: tuple[str, ...] = ()
    expires_us: int | None = None
    revoked_us: int | None = None
    replaced_by: str | None = None
    tags: Mapping[str, str] = field(factory=dict)
    lineage: str | None = None
    attribution: AttributionRules | None = None

    @property
    def first_id(self) -> str:
        """The id that limits and budgets go by: a rotation is no way out of them."""
        return self.lineage or self.id


@frozen
class DataKey:
    """An account's data key, wrapped by the key-encryption key `kek_id`; `wrapped` is base64."""

    id: str
    account: str
    kek_id: str
    wrapped: str
    created_us: int


@frozen
class SealedCredential:
    """A provider key of an account.

    Exactly one of `sealed` (base64 ciphertext under the account's data key) and `reference`
    (`env:NAME`, `file:/path`; written by the operator only) is set.

    Attributes:
        provider: The configured provider it is for.
        host: The host it is bound to; never sent anywhere else.
        project: The provider-side organisation or project, or None.
        data_terms: Declared terms (`zero_retention`, `hipaa`, region …).
    """

    id: str
    account: str
    provider: str
    host: str
    name: str
    last4: str
    created_us: int
    sealed: str | None = None
    reference: str | None = None
    data_key: str | None = None
    project: str | None = None
    disabled_us: int | None = None
    data_terms: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(factory=dict)


@frozen
class TargetSpec:
    """One target of a route."""

    provider: str
    model: str
    weight: Decimal | None = None
    credential: str | None = None


@frozen
class RouteSpec:
    """A named target with candidates and a strategy."""

    account: str
    name: str
    strategy: str
    targets: tuple[TargetSpec, ...]
    options: Mapping[str, Any] = field(factory=dict)


@frozen
class Declaration:
    """What an account has declared: a budget, a contract, a limit, an experiment and so on.

    A store keeps it as it is; what it means is known to the part of flo2 or the plugin that reads
    its kind, and it is checked there before it is put into a store.

    Attributes:
        kind: What it is (`budget`, `contract`, …).
        name: Unique within account and kind.
        document: JSON values; money as text.
        changed_us: When it was put there.
    """

    account: str
    kind: str
    name: str
    document: Mapping[str, Any]
    changed_us: int
