"""The log of a serving process: its two forms, and what it leaves out."""

from __future__ import annotations

import gc
import io
import json
import logging
import threading
import warnings

import pytest

from flo2.shell.logging import JsonLines, PlainLines, set_up_logging

KEY = "sk-acme-0123456789abcdefghijklmn"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["json", "plain"])
def out(request):
    stream = request.param()
    undo = set_up_logging("DEBUG", stream)
    yield stream
    undo()


def raised(error):
    try:
        raise error
    except type(error) as exc:
        return exc


def test_a_terminal_gets_lines_and_a_pipe_json():
    record = logging.makeLogRecord(
        {"name": "flo2.x", "levelname": "WARNING", "msg": "hello", "created": 1.5, "process": 7}
    )
    assert json.loads(JsonLines().format(record)) == {
        "time": "1970-01-01T00:00:01.500000Z",
        "level": "warning",
        "logger": "flo2.x",
        "process": 7,
        "message": "hello",
    }
    assert PlainLines().format(record).partition(" ")[2] == "WARNING flo2.x: hello"


def test_nothing_that_is_logged_begins_a_line_or_commands_a_terminal(out):
    logging.getLogger("flo2").warning("model %r %s", "a\nb", "\x1b[2J\r\n12:00:00 ERROR forged\x9b")
    text = out.getvalue()
    assert text.count("\n") == 1
    assert not {"\x1b", "\r", "\x9b"} & set(text)


def test_a_traceback_keeps_its_lines_and_nothing_else(out):
    error = raised(RuntimeError("\x1b[2J"))
    logging.getLogger("flo2").error("no", exc_info=error)
    text = out.getvalue()
    assert "RuntimeError" in text
    assert "\x1b" not in text
    assert text.count("\n") == (1 if text.startswith("{") else 5)


@pytest.mark.parametrize(
    "say",
    [
        lambda: logging.getLogger("a").info("key %s", KEY),
        lambda: logging.getLogger("a").info({"x-api-key": "opaque-but-named"}),
        lambda: logging.getLogger("a").error("no", exc_info=raised(ValueError(KEY))),
        lambda: logging.getLogger("a").warning("no", extra={"key": KEY}, stack_info=True),
        lambda: logging.getLogger("httpcore2.http11").debug("(b'x-echo', b'opaque-but-named')"),
        lambda: warnings.warn(f"key {KEY}", ResourceWarning, stacklevel=1),
    ],
)
def test_no_key_gets_into_it(out, say):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        say()
        logging.captureWarnings(capture=False)
    assert KEY not in out.getvalue()
    assert "opaque-but-named" not in out.getvalue()


def test_what_ends_a_thread_or_cannot_be_raised_is_logged_without_keys(out):
    thread = threading.Thread(target=lambda: raised_here(KEY), name="worker-1")
    thread.start()
    thread.join()
    Dying()
    gc.collect()
    text = out.getvalue()
    assert "thread 'worker-1' ended" in text
    assert text.count("ValueError") >= 2
    assert KEY not in text


def raised_here(text):
    raise ValueError(text)


class Dying:
    def __del__(self):
        raised_here(KEY)


def test_undoing_puts_back_what_was_there():
    root = logging.getLogger()
    before = (root.handlers[:], root.level, threading.excepthook)
    set_up_logging("ERROR", io.StringIO())()
    assert (root.handlers[:], root.level, threading.excepthook) == before
