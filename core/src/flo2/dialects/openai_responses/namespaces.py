"""Tools that other dialects have no form for, told to them as plain functions.

A `namespace` holds functions and custom tools, and a call of one says both names. A `tool_search`
that the client executes is a function in all but its name, and what it found can be called. In
another dialect each of them is a function under one name that it takes; `asked_for` gives back what
a call under such a name means. Pure. Imports: canonical, errors.

Source: https://platform.openai.com/docs/guides/tools-tool-search and the types of the official SDK
(openai 3.57), both read 2026-11-25; Codex 0.169 sends its MCP servers so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

from flo2.canonical import OpaqueTool, Request, Tool
from flo2.dialects.openai_responses.options_in import read_tool
from flo2.dialects.openai_responses.vocabulary import DIALECT, JSON
from flo2.errors import InvalidRequest

__all__ = ["SEARCH", "Names", "asked_for", "found_in", "read_tools"]

SEARCH: Final = "tool_search"
_MOST: Final = 64
"""Characters of a function's name, in every dialect here."""
_BAD: Final = re.compile(r"[^a-zA-Z0-9_-]")


class Names:
    """The one name of each tool in a namespace.

    Args:
        taken: Names of the tools that stand in no namespace.
    """

    def __init__(self, taken: frozenset[str] = frozenset()) -> None:
        self._plain = taken
        self._taken = set(taken)
        self._known: dict[tuple[str, str], str] = {}

    def add(self, namespace: str, name: str) -> str:
        """Name a tool that is offered."""
        key = (namespace, name)
        if key not in self._known:
            made = _joined(namespace, name)
            if made in self._taken:
                made = _marked(made, namespace, name)
            self._taken.add(made)
            self._known[key] = made
        return self._known[key]

    def of(self, namespace: str, name: str) -> str:
        """Name a tool that is called; one that was searched for may be its own namespace."""
        if (found := self._known.get((namespace, name))) is not None:
            return found
        return name if name in self._plain else _joined(namespace, name)


def _joined(namespace: str, name: str) -> str:
    said = f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"
    made = _BAD.sub("_", said)
    if not made[0].isalpha() and made[0] != "_":
        made = f"_{made}"  # Gemini's begin with a letter or an underscore
    return made if made == said and len(made) <= _MOST else _marked(made, namespace, name)


def _marked(made: str, namespace: str, name: str) -> str:
    """Tell names apart that are cut, or rewritten, to the same."""
    mark = hashlib.sha256(f"{namespace}\n{name}".encode()).hexdigest()[:8]
    return f"{made[: _MOST - len(mark) - 1]}_{mark}"


def read_tools(tools: list[Any], items: Any) -> tuple[tuple[Tool | OpaqueTool, ...], Names]:
    """Read `tools`.

    Args:
        tools: As parsed.
        items: The request's `input`, where the results of searches stand.

    Raises:
        InvalidRequest: a tool of a known kind is not as it must be.
    """
    found = [read_tool(each, f"tools[{number}]") for number, each in enumerate(tools)]
    names = Names(frozenset(tool.name for tool in found if isinstance(tool, Tool)))
    held = [_held(tool, names) for tool in found]
    for number, tool in enumerate(held):
        if isinstance(tool, OpaqueTool) and _is_search(tool.data):
            known = {each.name for each in _offered(held)}
            more = _searched(items, names, known)
            held[number] = evolve(tool, functions=(*_search(tool.data), *more))
    return tuple(held), names


def _offered(tools: list[Tool | OpaqueTool]) -> Iterator[Tool]:
    """Give each tool of the client's own, those inside others too."""
    for tool in tools:
        if isinstance(tool, Tool):
            yield tool
        else:
            yield from tool.functions


def _is_search(data: Mapping[str, Any]) -> bool:
    return data.get("type") == SEARCH and data.get("execution") == "client"


def _search(data: Mapping[str, Any]) -> Iterator[Tool]:
    parameters, text = data.get("parameters"), data.get("description")
    if isinstance(parameters, Mapping):
        about = text if isinstance(text, str) else None
        yield Tool(SEARCH, about, parameters, qualified=("", SEARCH))


def _held(tool: Tool | OpaqueTool, names: Names) -> Tool | OpaqueTool:
    if isinstance(tool, Tool) or tool.data.get("type") != "namespace":
        return tool
    return evolve(tool, functions=tuple(_inside(tool.data, names)))


def _inside(data: Mapping[str, Any], names: Names) -> Iterator[Tool]:
    namespace, tools = data.get("name"), data.get("tools")
    if not isinstance(namespace, str) or not isinstance(tools, list):
        return
    about: JSON = {"namespace_description": data.get("description")}
    for each in tools:
        try:
            tool = read_tool(each, "tools")
        except InvalidRequest:
            continue  # its provider would say so; here it is one that nobody can call
        if isinstance(tool, Tool):
            name, extras = names.add(namespace, tool.name), {**tool.extras, **about}
            yield evolve(tool, name=name, extras=extras, qualified=(namespace, tool.name))
            about = {}  # lost once, with the first of them


def _searched(items: Any, names: Names, known: set[str]) -> Iterator[Tool]:
    """Give the tools that the client's searches found, each once."""
    outputs = (
        item
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and item.get("type") == f"{SEARCH}_output"
    )
    for output in outputs:
        for tool in found_in(output, names):
            if tool.name not in known:
                known.add(tool.name)
                yield tool


def found_in(output: JSON, names: Names) -> Iterator[Tool]:
    """Give the tools that one search found."""
    for each in output.get("tools") or ():
        try:
            tool = _held(read_tool(each, "tools"), names)
        except InvalidRequest:
            continue
        yield from _offered([tool])


def asked_for(request: Request | None) -> Mapping[str, Tool]:
    """Give the tools that a client of this dialect offered, by the names others know them by."""
    tools = request.tools if request is not None else ()
    # A tool of another dialect's client holds none.
    return {
        each.name: each
        for tool in tools
        for each in (tool.functions if isinstance(tool, OpaqueTool) else (tool,))
        if isinstance(tool, Tool) or tool.dialect == DIALECT
    }
