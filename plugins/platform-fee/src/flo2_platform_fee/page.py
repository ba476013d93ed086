"""A document as CSV, and as one HTML page that prints: no script, nothing from outside.

Imports: nothing of flo2_platform_fee.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

__all__ = ["as_csv", "as_html", "share", "title"]

_STYLE: Final = """
@page{size:A4;margin:18mm}
body{font:14px/1.5 system-ui,sans-serif;color:#1a1a1a;max-width:46rem;margin:2rem auto;
padding:0 1rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1.2rem;margin:1rem 0}
dt{color:#555}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}thead{display:table-header-group}
tr{break-inside:avoid}td,th{text-align:left;padding:.3rem .5rem;border-bottom:1px solid #ccc}
.n{text-align:right;font-variant-numeric:tabular-nums}tfoot td{font-weight:600;border-bottom:0}
section{break-inside:avoid}p.note{color:#555;font-size:.85rem}
@media print{body{margin:0;max-width:none;padding:0;font-size:10.5pt}}
"""
_COLUMNS: Final = (
    *("number", "kind", "account", "month", "plan", "charge"),
    *("quantity", "days", "of_days", "currency", "amount"),
)
_CHARGES: Final = {
    "subscription": "subscription",
    "seats": "seats",
    "requests": "requests",
    "active_keys": "active keys",
}
# A spreadsheet runs a cell that begins like a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def title(found: Mapping[str, Any]) -> str:
    """Name a document."""
    if "number" not in found:
        return f"Preview of {found['month']}"
    kind = "Invoice" if found["kind"] == "invoice" else "Credit note"
    return f"{kind} {found['number']}"


def share(line: Mapping[str, Any]) -> str:
    """Say which part of a month a line is for; nothing where it is all of it."""
    days, whole = line["days"], line["of_days"]
    return "" if days == whole else f"{days} of {whole}"


def as_csv(documents: Iterable[Mapping[str, Any]]) -> str:
    """Write the lines of documents; credit notes are negative."""
    into = io.StringIO(newline="")
    write = csv.writer(into, lineterminator="\n")
    write.writerow(_COLUMNS)
    for each in documents:
        first = [each.get("number", ""), each["kind"], _cell(each["account"]), each["month"]]
        if each["kind"] == "credit_note":
            told = [*first, "", _cell(each["reason"]), "", "", "", each["currency"]]
            write.writerow([*told, f"-{each['amount']}"])
            continue
        for line in each["lines"]:
            told = [_cell(line["plan"]), line["charge"], line["quantity"]]
            share = [line["days"], line["of_days"]]
            write.writerow([*first, *told, *share, each["currency"], line["amount"]])
    return into.getvalue()


def as_html(found: Mapping[str, Any]) -> str:
    """Write the page; every text is escaped."""
    body = _invoice(found) if found["kind"] == "invoice" else _note(found)
    name = escape(title(found))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{name}</title><style>{_STYLE}</style>",
            f"<h1>{name}</h1>",
            *body,
            "</html>\n",
        ]
    )


def _invoice(found: Mapping[str, Any]) -> list[str]:
    currency = found["currency"]
    lines = [
        (
            line["plan"],
            _CHARGES[line["charge"]],
            str(line["quantity"]),
            share(line),
            line["amount"],
        )
        for line in found["lines"]
    ]
    tokens = found["tokens"]
    spent = [
        (row["provider"] or "", str(row["entries"]), _waiting(row), row["paid"], row["currency"])
        for row in tokens["providers"]
    ]
    due = ("Due for the gateway", "", "", "", f"{found['total']} {currency}")
    markup = ("Markup on tokens", "", "", tokens["markup"], "")
    return [
        _facts(found, {"Month": f"{found['month']} ({found['zone']})"}),
        "<section><h2>Fee for the gateway</h2>",
        _table(("plan", "charge", "quantity", "days", currency), lines, due, (2, 4)),
        f'<p class="note">Rounded: {escape(found["rounding"])}. Taxes are not included.</p>',
        "</section><section><h2>Tokens, paid directly to the providers</h2>",
        _table(("provider", "calls", "", "paid", ""), spent, markup, (1, 3)),
        '<p class="note">Not part of what is due: the providers bill this themselves.</p>',
        "</section>",
    ]


def _note(found: Mapping[str, Any]) -> list[str]:
    facts = {"Corrects": f"invoice {found['invoice']} of {found['month']}"}
    due = ("Credited", f"{found['amount']} {found['currency']}")
    rows = [(found["reason"], found["amount"])]
    return [
        _facts(found, facts | {"Reference": found["reference"]}),
        _table(("reason", found["currency"]), rows, due, (1,)),
    ]


def _facts(found: Mapping[str, Any], more: Mapping[str, str]) -> str:
    facts = {"Account": f"{found['account_name']} ({found['account']})", **more}
    if "number" in found:
        facts |= {"Issued": found["issued_at"][:10], "Hash": found["hash"]}
    else:
        facts |= {"Status": f"preview of {found['issued_at']}; nothing is issued"}
    told = "".join(f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in facts.items())
    return f"<dl>{told}</dl>"


def _waiting(row: Mapping[str, Any]) -> str:
    names = {"not_known_yet": "not known yet", "unpriced": "without a price"}
    return ", ".join(f"{row[key]} {name}" for key, name in names.items() if row[key])


def _table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    foot: Sequence[str],
    numbers: tuple[int, ...],
) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if place in numbers else ''}>{escape(cell)}</{tag}>"
            for place, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f"<table><thead><tr>{cells(heads, 'th')}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr>{cells(foot, 'td')}</tr></tfoot></table>"
    )


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
