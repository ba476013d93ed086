"""The same as one HTML page, with a plot for each report's days; no script, nothing from outside.

Imports: reconciler, report, times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from html import escape
from typing import Final

from flo2 import REQUESTS, Finding, Gap, money_of
from flo2.billing import meter_of
from flo2.money import text
from flo2_reconcile.match import Compared
from flo2_reconcile.reconciler import Outcome
from flo2_reconcile.report import short_keys
from flo2_reconcile.times import stamp

__all__ = ["html_page"]

_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;
border-bottom:1px solid #8884}td.n{text-align:right;font-variant-numeric:tabular-nums}
.bad{color:#b00020}.good{color:#0a7a3d}figure{margin:1rem 0}figcaption{color:#666}
svg{max-width:100%;height:auto}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}
"""
_WIDTH, _HEIGHT, _BAR = 640, 120, 0.38


def html_page(outcome: Outcome) -> str:
    """Write the page; every text of a bill is escaped."""
    title = f"{outcome.provider}: {stamp(outcome.since_us)[:10]} to {stamp(outcome.until_us)[:10]}"
    verdict = (
        '<p class="good">Nothing is unexplained.</p>'
        if outcome.is_proven
        else f'<p class="bad">{len(outcome.unexplained)} differences are unexplained.</p>'
    )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        '<meta name="viewport" content="width=device-width">',
        f"<title>Reconciliation of {escape(title)}</title><style>{_STYLE}</style>",
        f"<h1>Reconciliation of {escape(title)}</h1>{verdict}",
        _gaps(outcome.unexplained) if outcome.unexplained else "",
        "<h2>Explained</h2>",
        _findings(outcome.findings) if outcome.findings else "<p>Nothing differed.</p>",
        "<h2>Day by day</h2>",
        *(_plots(one) for one in outcome.compared),
        _notices(outcome.notices),
        "</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _gaps(gaps: Iterable[Gap]) -> str:
    rows = [
        (gap.report, stamp(gap.start_us), short_keys(gap.keys), name, text(Decimal(count)))
        for gap in gaps
        for name, count in sorted(gap.left.items())
    ]
    return _table(("report", "bucket", "of", "measure", "bill minus ledger"), rows, numbers=(4,))


def _findings(findings: Iterable[Finding]) -> str:
    rows = [
        (found.cause, stamp(found.start_us), short_keys(found.keys), found.note, text(found.amount))
        for found in findings
    ]
    return _table(("cause", "bucket", "of", "what happened", "USD"), rows, numbers=(4,))


def _notices(notices: Mapping[str, int]) -> str:
    if not notices:
        return ""
    items = "".join(f"<li>{escape(each)}</li>" for each in notices)
    return f"<h2>Notices</h2><ul>{items}</ul>"


def _table(
    heads: Iterable[str], rows: Iterable[tuple[str, ...]], *, numbers: tuple[int, ...]
) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{' class=n' if place in numbers else ''}>{escape(cell)}</td>"
            for place, cell in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _plots(one: Compared) -> str:
    """Draw the measure that says most: calls, else money, else the first."""
    names = sorted({name for sides in one.days.values() for side in sides for name in side})
    chosen = [name for name in names if name in {REQUESTS, money_of("")}] or names[:1]
    return "".join(_plot(one, name) for name in chosen)


def _plot(one: Compared, name: str) -> str:
    days = sorted(one.days)
    sides = [[Decimal(one.days[day][side].get(name, 0)) for day in days] for side in (0, 1)]
    top = max((max(side, default=Decimal(0)) for side in sides), default=Decimal(0)) or Decimal(1)
    step = _WIDTH / max(len(days), 1)
    bars = []
    for side, (values, colour) in enumerate(zip(sides, ("#3b6fd4", "#e0a030"), strict=True)):
        for place, value in enumerate(values):
            height = float(max(value, Decimal(0)) / top) * (_HEIGHT - 4)
            x = place * step + (0.1 + side * _BAR) * step
            label = f"{stamp(days[place])[:10]}: {text(value)}"
            bars.append(
                f'<rect x="{x:.1f}" y="{_HEIGHT - height:.1f}" width="{step * _BAR:.1f}" '
                f'height="{height:.1f}" fill="{colour}"><title>{escape(label)}</title></rect>'
            )
    caption = f"{one.sheet.report}, {meter_of(name) or 'USD'} a day: billed (blue), booked"
    return (
        f'<figure><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(caption)}">{"".join(bars)}</svg>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
