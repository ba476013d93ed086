"""Measure translation alone: every dialect into every other one, each direction, no I/O.

    python benchmarks/translation.py

A request of about 2 kB is parsed and written anew, an answer of about 2 kB likewise, and a stream
is decoded and encoded event by event, once of 1,000 and once of 10,000 events: what a single event
costs must not grow. CPU time, the best of several rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from flo2 import Profile, fold
from flo2.canonical import Finish, PartDelta, PartStart, Start, Text, Usage, UsageUpdate
from flo2.dialects.base import Dialect
from flo2.testing.features import Features
from flo2.testing.pairs import SPOKEN

ROUNDS, CALLS, EVENTS = 7, 200, 1000
WORDS = ["the", "gateway", "counts", "tokens", "while", "upstream", "streams", "answers", "back"]


def text(size: int) -> str:
    """Make about `size` characters of words."""
    return " ".join(WORDS[i % len(WORDS)] for i in range(size // 6))


def conversation(dialect: str, plain: dict[str, Any]) -> dict[str, Any]:
    """Give a request of about 2 kB: three turns and a tool, in the dialect's own words."""
    turns = [("user", text(500)), ("assistant", text(500)), ("user", text(500))]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    about = "Tells the weather of a city."
    function = {"name": "weather", "description": about, "parameters": schema}
    match dialect:
        case "openai.chat":
            more: dict[str, Any] = {
                "messages": [{"role": role, "content": said} for role, said in turns],
                "tools": [{"type": "function", "function": function}],
            }
        case "openai.responses":
            more = {
                "input": [{"role": role, "content": said} for role, said in turns],
                "tools": [{"type": "function", **function}],
            }
        case "anthropic.messages":
            more = {
                "messages": [{"role": role, "content": said} for role, said in turns],
                "tools": [{"name": "weather", "description": about, "input_schema": schema}],
            }
        case _:
            named = {"user": "user", "assistant": "model"}
            more = {
                "contents": [
                    {"role": named[role], "parts": [{"text": said}]} for role, said in turns
                ],
                "tools": [
                    {
                        "functionDeclarations": [
                            {
                                "name": "weather",
                                "description": about,
                                "parametersJsonSchema": schema,
                            }
                        ]
                    }
                ],
            }
    return {**plain, **more}


def events(number: int) -> list[Any]:
    """Give the canonical events of a stream with that many pieces of text."""
    return [
        Start("r1", "m", 1_790_000_000),
        PartStart(0, Text("")),
        *(PartDelta(0, text=f" word {i}") for i in range(number)),
        Finish("stop", raw="stop"),
        UsageUpdate(Usage({"input_tokens": 10, "output_tokens": number})),
    ]


def stream(dialect: Dialect, number: int) -> list[bytes]:
    """Write a stream in a dialect, a frame at a time."""
    encoder = dialect.encoder(include_usage=True)
    frames = [encoder.feed(event) for event in events(number)]
    return [frame for frame in (*frames, encoder.close()) if frame]


def best(run: Callable[[], object], number: int) -> float:
    """Give CPU microseconds of one call."""
    found = float("inf")
    for _ in range(ROUNDS):
        before = time.thread_time()
        for _ in range(number):
            run()
        found = min(found, (time.thread_time() - before) / number)
    return found * 1e6


def through(source: Dialect, target: Dialect, frames: Sequence[bytes]) -> None:
    """Decode a stream and encode it."""
    decoder = source.decoder(full=True, hide_usage=False)
    encoder = target.encoder(include_usage=True)
    for frame in frames:
        for event in decoder.feed(frame).events:
            encoder.feed(event)
    for event in decoder.close().events:
        encoder.feed(event)
    encoder.close()


def measure(source: Dialect, features: Features, target: Dialect) -> dict[str, float]:
    """Measure one pair."""
    profile = Profile()
    body = json.dumps(conversation(source.name, dict(features.request))).encode()
    whole = fold(events(300))
    answer = source.encode_response(whole).body

    def ask() -> None:
        request = source.parse(body)
        target.check(request, profile)
        target.render(request, model="m", profile=profile)

    def tell() -> None:
        decoder = source.body_decoder(full=True)
        decoder.feed(answer)
        target.encode_response(fold(decoder.close().events, origin=source.name))

    short, long = (stream(source, number) for number in (EVENTS, 10 * EVENTS))
    return {
        "request": best(ask, CALLS),
        "answer": best(tell, CALLS),
        "event of 1,000": best(lambda: through(source, target, short), 1) / EVENTS,
        "event of 10,000": best(lambda: through(source, target, long), 1) / (10 * EVENTS),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = {
        f"{source.name} → {target.name}": measure(source, features, target)
        for source, features in SPOKEN
        for target, _ in SPOKEN
        if source is not target
    }
    if chosen.json:
        print(json.dumps(found))
        return
    names = next(iter(found.values()))
    print(f"{'µs':44s}" + "".join(f"{name:>17s}" for name in names))
    for pair, figures in found.items():
        print(f"{pair:44s}" + "".join(f"{value:17.1f}" for value in figures.values()))


if __name__ == "__main__":
    main()
