"""Every error flo2 raises, in one tree.

    Flo2Error
    ├── ConfigError               the configuration is wrong; lists every problem at once
    ├── PluginError               a plugin does not load, or clashes with another
    ├── RefusedCall               flo2 itself says no to a call; costs nothing
    │   ├── InvalidRequest        400  malformed, wrong types, missing fields
    │   │   ├── UnsupportedCall   400  the target cannot express it (carries the losses)
    │   │   └── RequestTooLarge   413
    │   ├── AuthenticationFailed  401
    │   ├── PermissionRefused     403
    │   ├── NotFound              404  unknown model, call, object
    │   ├── BudgetExceeded        402
    │   ├── TooManyRequests       429  flo2's own limit
    │   └── Unavailable           503  not started, draining, ledger cannot be written
    ├── ProviderError             the provider answered with an error, or broke off
    ├── AllAttemptsFailed         each attempt of the plan failed; carries them
    ├── WireError                 the connection failed (`sent`: may the provider have begun?)
    │   ├── ConnectFailed · DestinationRefused · InvalidHeader · SendFailed
    │   └── ReadFailed · WireTimeout · ResponseTooLarge
    ├── StoreError                the store cannot be read or written
    ├── SecretError               a secret reference cannot be resolved, or a seal is broken
    ├── BillingError              a provider's bill is not what it should be
    └── PricingError              a price book does not load
        ├── AmbiguousPrice        two rows match
        ├── ContractError         a contract is wrong; lists every problem at once
        └── CurrencyMismatch

A message names the thing, the value, and the next step; it never holds a secret.
Imports: nothing of flo2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "AllAttemptsFailed",
    "AmbiguousPrice",
    "AuthenticationFailed",
    "BillingError",
    "BudgetExceeded",
    "ConfigError",
    "ConnectFailed",
    "ContractError",
    "CurrencyMismatch",
    "DestinationRefused",
    "ErrorKind",
    "Flo2Error",
    "InvalidHeader",
    "InvalidRequest",
    "NotFound",
    "PermissionRefused",
    "PluginError",
    "PricingError",
    "ProviderError",
    "ReadFailed",
    "RefusedCall",
    "RequestTooLarge",
    "ResponseTooLarge",
    "SecretError",
    "SendFailed",
    "StoreError",
    "TooManyRequests",
    "Unavailable",
    "UnsupportedCall",
    "WireError",
    "WireTimeout",
    "WrongMethod",
]

ErrorKind = Literal[
    "invalid_request",
    "authentication",
    "permission",
    "not_found",
    "too_large",
    "budget",
    "rate_limit",
    "overloaded",
    "unavailable",
    "timeout",
    "connection",
    "upstream",
    "internal",
]
"""What went wrong, in words every surface can map onto its own `type` field."""


class Flo2Error(Exception):
    """The root; catch it to catch all that flo2 raises on purpose."""


class ConfigError(Flo2Error):
    """The configuration is wrong.

    Attributes:
        problems: One line per problem, each with its path and, where there is one, a suggestion.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the problems into one readable message."""
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems))


class PluginError(Flo2Error):
    """A plugin does not load, or two of them claim the same name."""


class RefusedCall(Flo2Error):
    """flo2 refuses a call before any money is spent.

    Attributes:
        status: HTTP status of the answer.
        kind: What went wrong, for the surface's own error type.
        code: A short stable word for programs, or None.
        param: The field that is at fault, or None.
        retry_after_s: When to try again, in seconds, or None.
        request_id: The exchange's id, once it is known.
    """

    status: ClassVar[int] = 400
    kind: ClassVar[ErrorKind] = "invalid_request"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the message and the facts a surface needs."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.retry_after_s = retry_after_s
        self.headers: dict[str, str] = dict(headers or {})
        self.request_id = ""


class InvalidRequest(RefusedCall):
    """The request is malformed: it would be refused whoever served it."""


class UnsupportedCall(InvalidRequest):
    """The chosen target cannot express the request.

    Attributes:
        losses: What would have been lost, as `path: reason` strings.
    """

    def __init__(
        self, message: str, *, losses: Sequence[str] = (), param: str | None = None
    ) -> None:
        """Keep what would have been lost."""
        super().__init__(message, code="unsupported_feature", param=param)
        self.losses: tuple[str, ...] = tuple(losses)


class RequestTooLarge(InvalidRequest):
    """The body is larger than this gateway accepts."""

    status: ClassVar[int] = 413
    kind: ClassVar[ErrorKind] = "too_large"


class AuthenticationFailed(RefusedCall):
    """There is no usable issued key on the request."""

    status: ClassVar[int] = 401
    kind: ClassVar[ErrorKind] = "authentication"


class PermissionRefused(RefusedCall):
    """The key is known but may not do this."""

    status: ClassVar[int] = 403
    kind: ClassVar[ErrorKind] = "permission"


class NotFound(RefusedCall):
    """No such model, route, call or object for this key."""

    status: ClassVar[int] = 404
    kind: ClassVar[ErrorKind] = "not_found"


class WrongMethod(InvalidRequest):
    """There is something at the path, but not with this HTTP method."""

    status: ClassVar[int] = 405


class BudgetExceeded(RefusedCall):
    """The worst case of this call does not fit the budget."""

    status: ClassVar[int] = 402
    kind: ClassVar[ErrorKind] = "budget"


class TooManyRequests(RefusedCall):
    """A limit of this gateway, not the provider's, was reached."""

    status: ClassVar[int] = 429
    kind: ClassVar[ErrorKind] = "rate_limit"


class Unavailable(RefusedCall):
    """The gateway cannot take the call now: not started, draining, or its ledger is down."""

    status: ClassVar[int] = 503
    kind: ClassVar[ErrorKind] = "unavailable"


class ProviderError(Flo2Error):
    """A provider answered with an error, or its answer broke off.

    Attributes:
        provider: The configured name of the provider.
        status: The upstream HTTP status (200 when the error came inside a stream), or None.
        kind: What went wrong.
        retryable: Whether another attempt may succeed.
        retry_after_s: What the provider asked for, in seconds, or None.
        code: The provider's own short code, or None.
        error_type: The provider's own `type`, or None.
        param: The provider's own `param`, or None.
        body: The provider's error body as it came, for the same dialect to pass on, or b"".
        headers: Provider headers that may reach the client (rate limits, retry-after).
        request_id: The exchange's id, once it is known.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        status: int | None = None,
        kind: ErrorKind = "upstream",
        retryable: bool = False,
        retry_after_s: float | None = None,
        code: str | None = None,
        error_type: str | None = None,
        param: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the message and the facts the executor and the surface need."""
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.status = status
        self.kind: ErrorKind = kind
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.code = code
        self.error_type = error_type
        self.param = param
        self.body = body
        self.headers: dict[str, str] = dict(headers or {})
        self.request_id = ""


class AllAttemptsFailed(Flo2Error):
    """Every attempt of the plan failed.

    Attributes:
        failures: One error per attempt, in the order they began.
        last: The error a client should see.
    """

    def __init__(
        self,
        failures: Sequence[ProviderError | WireError],
        last: ProviderError | WireError | None = None,
    ) -> None:
        """Keep each attempt's cause; the last one speaks for all, unless another is named."""
        self.failures: tuple[ProviderError | WireError, ...] = tuple(failures)
        self.last: ProviderError | WireError = last or self.failures[-1]
        super().__init__(f"all {len(self.failures)} attempts failed; the last: {self.last}")


class WireError(Flo2Error):
    """The connection to a provider failed.

    Attributes:
        sent: True when the provider may have begun to process (so it may bill).
        retryable: Whether another attempt may succeed.
    """

    sent: bool = False
    retryable: bool = True

    def __init__(self, message: str, *, sent: bool | None = None) -> None:
        """Keep the message; `sent` overrides the class's own answer."""
        super().__init__(message)
        self.message = message
        if sent is not None:
            self.sent = sent


class ConnectFailed(WireError):
    """No connection was made; nothing was sent."""


class DestinationRefused(WireError):
    """The address is private or otherwise not allowed; nothing was sent."""

    retryable = False


class InvalidHeader(WireError):
    """A header value cannot be sent (control or non-latin characters); nothing was sent."""

    retryable = False


class SendFailed(WireError):
    """The connection broke while the request was being sent."""

    sent = True


class ReadFailed(WireError):
    """The connection broke, or the answer was garbage, after the request was sent."""

    sent = True


class WireTimeout(WireError):
    """A deadline passed.

    Attributes:
        phase: Which one: `connect`, `first_byte`, `idle` or `total`.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: Literal["connect", "first_byte", "idle", "total"],
        sent: bool | None = None,
    ) -> None:
        """Keep the phase; all but `connect` mean that the request may have been processed."""
        super().__init__(message, sent=phase != "connect" if sent is None else sent)
        self.phase = phase


class ResponseTooLarge(WireError):
    """The answer passed the size limit and was cut off."""

    sent = True
    retryable = False


class StoreError(Flo2Error):
    """The store cannot be read or written."""


class SecretError(Flo2Error):
    """A secret reference cannot be resolved, or a sealed secret does not open."""


class BillingError(Flo2Error):
    """A provider's bill cannot be read: names the file, the place and what was expected."""


class PricingError(Flo2Error):
    """A price source or a book does not load."""


class AmbiguousPrice(PricingError):
    """Two rows match the same usage; the message names both."""


class CurrencyMismatch(PricingError):
    """Rows of two currencies were to be added."""


class ContractError(PricingError):
    """A contract is wrong, or contradicts itself or another one.

    Attributes:
        problems: One line per problem, each with its path.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the problems into one readable message."""
        self.problems: tuple[str, ...] = tuple(problems)
        super().__init__("\n".join(self.problems))
