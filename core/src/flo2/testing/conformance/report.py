"""What a run found, and how it reads.

Imports: attrs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from attrs import asdict, define, field, frozen

__all__ = ["Outcome", "Report", "Result"]

Outcome = Literal["pass", "fail", "skip"]


@frozen
class Result:
    """One case.

    Attributes:
        surface: The surface that was spoken to.
        model: The model that was asked for, or "".
        case: What was tried.
        details: What was wrong, or why it was skipped; empty for a pass.
    """

    surface: str
    model: str
    case: str
    outcome: Outcome
    details: Sequence[str] = ()


@define
class Report:
    """All cases of a run, in order."""

    gateway: str
    results: list[Result] = field(factory=list)

    @property
    def failed(self) -> bool:
        """Whether a case failed."""
        return any(result.outcome == "fail" for result in self.results)

    def counts(self) -> dict[Outcome, int]:
        """Count the cases by outcome."""
        found = Counter(result.outcome for result in self.results)
        return {"pass": found["pass"], "fail": found["fail"], "skip": found["skip"]}

    def as_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        results = [asdict(result) for result in self.results]
        return {"gateway": self.gateway, "counts": self.counts(), "results": results}

    def lines(self, *, verbose: bool = False) -> Iterator[str]:
        """Give it as text: a heading for each surface and model, then its cases.

        Args:
            verbose: Show cases that pass, too; else they are only counted.
        """
        heads = dict.fromkeys((result.surface, result.model) for result in self.results)
        for head in heads:
            of_head = [each for each in self.results if (each.surface, each.model) == head]
            passed = sum(each.outcome == "pass" for each in of_head)
            yield f"{' · '.join(filter(None, head))}: {passed} of {len(of_head)} pass"
            for result in of_head:
                if result.outcome == "pass" and not verbose:
                    continue
                yield f"  {result.outcome}  {result.case}"
                yield from (f"        {detail}" for detail in result.details)
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.counts().items())
        yield f"{self.gateway}: {len(self.results)} cases: {counted}"
