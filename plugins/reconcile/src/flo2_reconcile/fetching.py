"""Ask a provider for its bill, page by page, into files; what is there already is not asked again.

A page appears whole or not at all, so a fetch that was interrupted goes on where it stopped. Sends
the admin credential to the importer's own host and nowhere else. Imports: times.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import anyio

from flo2 import BillingError, BillQuery, BillWindow, FetchesBills, Secret, Wire
from flo2.secrets import scrub
from flo2_reconcile.times import LATE_US

__all__ = ["BillFetch", "fetched", "forget"]

_PAGE_LIMIT: Final = 64 * 1024 * 1024
_RESUMED_S: Final = 3600.0
"""A fetch that goes on within this time takes what it has."""

_PAUSE_S: Final = 0.2
"""Between two requests."""

_TRIES: Final = 6
_MAX_PAGES: Final = 10_000
_BACKOFF_S: Final = (1.0, 60.0)
_SHOWN: Final = 300
_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_WAITS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class BillFetch:
    """One fetch of one window of one provider's bill.

    Args:
        importer: What knows the API.
        wire: The way to the network; open.
        folder: Where pages are kept; made if it is missing.
        secret: The admin credential.
        progress: Told the report and the page that arrived.
        sleep, now_s: The clock.
    """

    def __init__(
        self,
        importer: FetchesBills,
        wire: Wire,
        folder: Path,
        secret: Secret,
        *,
        progress: Callable[[str, int], None] = lambda _report, _page: None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._importer = importer
        self._endpoint = wire.endpoint(importer.base_url)
        self._folder = folder
        self._secret = secret
        self._progress = progress
        self._sleep = sleep
        self._now_s = now_s

    async def run(self, window: BillWindow) -> list[Path]:
        """Fetch what is missing of a window.

        Returns:
            Every page's file, in order.

        Raises:
            BillingError: the provider refuses, or a page is not what it should be.
            WireError: the connection failed and did not mend; what arrived is kept.
        """
        folder = self._folder / _folder_name(window)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: list[Path] = []
        for first in self._importer.queries(window):
            query: BillQuery | None = first
            while query is not None:
                if query.page >= _MAX_PAGES:
                    raise BillingError(
                        f"{query.report} does not end after {_MAX_PAGES} pages; ask for less"
                    )
                path = folder / _page_name(query)
                kept = path.exists() and not self._is_early(path, window)
                body = path.read_bytes() if kept else await self._page(query, path)
                found.append(path)
                query = self._importer.after(query, body)
        return found

    def _is_early(self, path: Path, window: BillWindow) -> bool:
        """Whether a page was pulled before the bill was complete, and not just now."""
        pulled_s = path.stat().st_mtime
        complete_s = (window.end_us + LATE_US) / 1_000_000
        return pulled_s < complete_s and self._now_s() - pulled_s > _RESUMED_S

    async def _page(self, query: BillQuery, path: Path) -> bytes:
        body = await self._asked(query)
        self._importer.after(query, body)  # what is no page is not kept
        aside = path.with_suffix(".part")
        aside.write_bytes(body)
        aside.replace(path)
        self._progress(query.report, query.page)
        await self._sleep(_PAUSE_S)
        return body

    async def _asked(self, query: BillQuery) -> bytes:
        delay, tries = _BACKOFF_S[0], 0
        while True:
            tries += 1
            headers = [*self._importer.auth(self._secret.reveal()), ("accept", "application/json")]
            method = "POST" if query.body else "GET"
            async with await self._endpoint.send(
                method, query.path, headers, query.body
            ) as response:
                status = response.status
                wait = _retry_after(response.headers.get("retry-after"), self._now_s())
                body = await response.read(_PAGE_LIMIT)
            if status == 200:
                return body
            if status not in _WAITS or tries == _TRIES:
                raise BillingError(self._refused(query, status, body))
            await self._sleep(min(wait if wait is not None else delay, _BACKOFF_S[1]))
            delay = min(delay * 2, _BACKOFF_S[1])

    def _refused(self, query: BillQuery, status: int, body: bytes) -> str:
        said = _said(body)
        hint = (
            "; an admin credential is needed: flo2 reconcile credential"
            if status in {401, 403}
            else ""
        )
        text = f"{self._endpoint.address.host} answered {status} for {query.report}: {said}{hint}"
        return scrub(text, self._secret.reveal())


def fetched(folder: Path, window: BillWindow) -> Sequence[Path]:
    """Give the pages of a window that were fetched already."""
    kept = folder / _folder_name(window)
    return sorted(kept.glob("*.json")) if kept.is_dir() else []


def forget(folder: Path, window: BillWindow) -> int:
    """Remove the pages of a window, so that they are pulled again."""
    pages = fetched(folder, window)
    for page in pages:
        page.unlink()
    return len(pages)


def _folder_name(window: BillWindow) -> str:
    return f"{window.start_us // 1_000_000}-{window.end_us // 1_000_000}-{window.width}"


def _page_name(query: BillQuery) -> str:
    # The query is in the name: a page that was asked for otherwise is another page.
    digest = sha256(f"{query.path}|".encode() + query.body).hexdigest()[:8]
    return f"{_NAME.sub('_', query.report)}-{query.page:05}-{digest}.json"


def _retry_after(value: str | None, now_s: float) -> float | None:
    if value is None:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(value).timestamp() - now_s, 0.0)
    except (TypeError, ValueError):
        return None


def _said(body: bytes) -> str:
    try:
        document: Any = json.loads(body)
    except ValueError:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    text = message if isinstance(message, str) else body.decode("utf-8", "replace")
    return text[:_SHOWN].replace("\n", " ")
