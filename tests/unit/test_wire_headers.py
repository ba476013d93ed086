"""What may stand in a request header."""

from __future__ import annotations

import pytest

from flo2.errors import InvalidHeader
from flo2.wire.headers import HeaderCheck


@pytest.mark.parametrize("value", ["", "a", "Bearer sk-1", "a\tb", "text/event-stream; q=1", "~!"])
def test_ordinary_value_passes(value):
    assert HeaderCheck().check([("x-a", value)]) is False


@pytest.mark.parametrize(
    "value",
    [
        "sk-secret\r\nx: y",
        "sk-secret\n",
        "sk-secret\r",
        "sk-secret\0",
        "sk-secret\x7f",
        " sk-secret",
        "sk-secret ",
        "sk-secret\t",
        "sk-secret\u200b",
        "sk-secret-ä",
        "sk-secret\x1b[0m",
        "sk-secret\u2028",
    ],
)
def test_bad_value_is_refused_and_not_shown(value):
    with pytest.raises(InvalidHeader) as caught:
        HeaderCheck().check([("authorization", value)])
    assert "'authorization'" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert (caught.value.sent, caught.value.retryable) == (False, False)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x\r\n", "ä", "a\0"])
def test_bad_name_is_refused(name):
    with pytest.raises(InvalidHeader, match="is not a header name"):
        HeaderCheck().check([(name, "v")])


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "connection"])
def test_framing_belongs_to_the_wire(name):
    check = HeaderCheck()
    for _ in range(2):
        with pytest.raises(InvalidHeader, match="set by the wire itself"):
            check.check([(name, "v")])


def test_accept_encoding_is_noticed_in_any_case():
    check = HeaderCheck()
    for _ in range(2):
        assert check.check([("a", "b"), ("Accept-Encoding", "gzip")]) is True


def test_memory_of_names_is_bounded():
    check = HeaderCheck()
    for number in range(2000):
        check.check([(f"x-{number}", "v")])
    assert len(check._known) == 512
