"""Where a serving process's log goes, and what must not be in it.

One handler on the root logger, so that uvicorn, asyncio, warnings and plugins go the same way:
through `Redact`, to standard error; as lines for people on a terminal, else as one JSON object a
line. An embedding host has logging of its own: it adds `flo2.secrets.Redact` to its handlers.
Imports: secrets.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

from flo2.secrets import Redact

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JsonLines", "PlainLines", "set_up_logging"]

# What these say at `debug` is what came over the wire: httpcore prints the headers of answers, and
# a provider's answer may quote the request. `Redact` knows keys by their looks; not all have any.
_CHATTY: Final = ("aiohttp", "hpack", "httpcore", "httpcore2", "httpx", "httpx2", "sqlalchemy")
# A model's name or a provider's message may hold line ends, which would look like lines of ours,
# and escape sequences, which a terminal would obey.
_CONTROL: Final = {
    code: ascii(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
}


class PlainLines(logging.Formatter):
    """`09:30:12 WARNING flo2.gateway: message`, and a traceback below it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; what could pass for another line, or command a terminal, is escaped."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        parts = [self.formatMessage(record).translate(_CONTROL)]
        parts += [_each_line(text) for text in (_trace(self, record), record.stack_info) if text]
        return "\n".join(parts)


class JsonLines(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, and `exception` if any."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        moment = datetime.fromtimestamp(record.created, UTC)
        facts: dict[str, object] = {
            "time": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            facts["exception"] = trace
        if record.stack_info:
            facts["stack"] = record.stack_info
        return json.dumps(facts, ensure_ascii=True)


def set_up_logging(level: str, stream: TextIO | None = None) -> Callable[[], None]:
    """Set up the process's logging; what others set up on the root logger is replaced.

    Args:
        level: Name of the least level that is logged.
        stream: Where to; None: standard error.

    Returns:
        A function that puts back what was there before.
    """
    out = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(out)
    handler.addFilter(Redact())
    handler.setFormatter(PlainLines() if out.isatty() else JsonLines())
    root = logging.getLogger()
    chatty = [(logging.getLogger(name), logging.getLogger(name).level) for name in _CHATTY]
    before = (root.handlers[:], root.level, threading.excepthook, sys.unraisablehook)
    root.handlers[:] = [handler]
    root.setLevel(level)
    for logger, _ in chatty:
        logger.setLevel(max(root.level, logging.WARNING))
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended
    sys.unraisablehook = _nobody_to_raise_to

    def undo() -> None:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        threading.excepthook, sys.unraisablehook = before[2:]
        logging.captureWarnings(capture=False)
        for logger, old in chatty:
            logger.setLevel(old)

    return undo


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    # `Redact` has written the text already, and taken out what must not show.
    return record.exc_text or (
        formatter.formatException(record.exc_info) if record.exc_info else None
    )


def _each_line(text: str) -> str:
    return "\n".join(line.translate(_CONTROL) for line in text.split("\n"))


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    """Log what ended a thread; Python would write it to standard error as it is."""
    if args.exc_value is not None and args.exc_type is not SystemExit:
        name = "" if args.thread is None else args.thread.name
        logging.getLogger("flo2").error("thread %r ended", name, exc_info=args.exc_value)


def _nobody_to_raise_to(args: sys.UnraisableHookArgs) -> None:
    """Log what was raised where nobody can catch it; the same."""
    said = args.err_msg or "exception ignored"
    logging.getLogger("flo2").error("%s", said, exc_info=args.exc_value)
