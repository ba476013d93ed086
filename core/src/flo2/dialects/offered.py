"""The tools that a dialect is to write: another's that hold functions are those functions.

Imports: canonical.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flo2.canonical import OpaqueTool, Tool

__all__ = ["offered"]


def offered(
    tools: Sequence[Tool | OpaqueTool], dialect: str
) -> Iterator[tuple[str, Tool | OpaqueTool]]:
    """Give each tool with its path, as it can be written in a dialect."""
    for number, tool in enumerate(tools):
        path = f"tools[{number}]"
        if isinstance(tool, OpaqueTool) and tool.functions and tool.dialect != dialect:
            for place, function in enumerate(tool.functions):
                yield f"{path}.tools[{place}]", function
        else:
            yield path, tool
