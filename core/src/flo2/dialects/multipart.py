"""Read a form with files (`multipart/form-data`, RFC 7578) without copying the files out of it.

The boundary stands in the body's own first line, so no header is needed. What no client of an API
sends (text before the first part, folded headers, names in odd quotes) is refused: where two
readers of one form may differ, one of them sees another model than the other.
Imports: errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import field, frozen

from flo2.errors import InvalidRequest

__all__ = ["Form", "FormField", "form_type", "is_form", "read_form"]

_FIRST: Final = re.compile(rb"--([0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-])\r\n")
_TOKEN: Final = re.compile(r"[0-9A-Za-z'+_.-]+")
# .NET's `MultipartFormDataContent` writes names without quotes.
_DISPOSITION: Final = re.compile(
    rb'content-disposition:[ \t]*form-data;[ \t]*name=(?:"([^"\\\r\n]*)"|([0-9A-Za-z_.\[\]-]+))'
    rb"((?:;[ \t]*filename\*?=(?:\"(?:[^\"\\\r\n]|\\.)*\"|[^\";\r\n]+))*)[ \t]*\r\n",
    re.IGNORECASE,
)
_HEADERS: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*\r\n)*\r\n")
_PLAIN: Final = frozenset({b"7bit", b"8bit", b"binary"})
_MOST_FIELDS: Final = 1000


@frozen
class FormField:
    """One part; its value is `body[start:end]` of the form."""

    name: str
    is_file: bool
    start: int
    end: int


@frozen
class Form:
    """A whole form.

    Attributes:
        body: As it came.
        boundary: Between its parts, without the dashes in front.
        fields: In order; a name may come more than once.
    """

    body: bytes = field(repr=False)
    boundary: bytes
    fields: tuple[FormField, ...]

    def text(self, name: str) -> str | None:
        """Give the value of a field that is no file, or None.

        Raises:
            InvalidRequest: it is there more than once, is a file, or is no UTF-8.
        """
        found = self._only(name)
        if found is None:
            return None
        try:
            return self.body[found.start : found.end].decode()
        except UnicodeDecodeError as exc:
            raise InvalidRequest(
                f"the field {name!r} is not UTF-8; encode it as UTF-8",
                code="invalid_utf8",
                param=name,
            ) from exc

    def _only(self, name: str) -> FormField | None:
        found = [each for each in self.fields if each.name == name]
        if len(found) > 1 or (found and found[0].is_file):
            what = "a file" if len(found) == 1 else f"there {len(found)} times"
            raise InvalidRequest(
                f"the field {name!r} is {what}; send it once, as text",
                code="invalid_value",
                param=name,
            )
        return found[0] if found else None

    def replaced(self, name: str, value: str) -> bytes:
        """Give the body with another value of a field; every other byte stays, files uncopied."""
        found = self._only(name)
        view = memoryview(self.body)
        if found is not None:
            if self.body[found.start : found.end] == value.encode():
                return self.body
            return b"".join((view[: found.start], value.encode(), view[found.end :]))
        head = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (
            self.boundary,
            name.encode(),
            value.encode(),
        )
        return b"".join((head, view))


def is_form(body: bytes) -> bool:
    """Tell a form from JSON."""
    return body[:2] == b"--"


def form_type(body: bytes) -> str:
    """Give the content type that goes with a form, out of its first line.

    Raises:
        InvalidRequest: it does not begin as a form does.
    """
    text = _boundary(body)[1].decode("ascii")
    written = text if _TOKEN.fullmatch(text) else f'"{text}"'
    return f"multipart/form-data; boundary={written}"


def _boundary(body: bytes) -> re.Match[bytes]:
    first = _FIRST.match(body)
    if first is None:
        raise _wrong("it does not begin with a boundary")
    return first


def read_form(body: bytes, *, until: str | None = None) -> Form:
    """Find the fields of a form.

    Args:
        body: The form.
        until: Look no further than this field, in a form that has been read whole before.

    Raises:
        InvalidRequest: it is no such form.
    """
    first = _boundary(body)
    boundary = first[1]
    found: list[FormField] = []
    for each in _fields(body, b"\r\n--" + boundary, first.end()):
        found.append(each)
        if each.name == until:
            break
    return Form(body, boundary, tuple(found))


def _fields(body: bytes, delimiter: bytes, at: int) -> Iterator[FormField]:
    for number in range(_MOST_FIELDS):
        headers = _HEADERS.match(body, at)
        if headers is None:
            raise _wrong(f"part {number} has headers that cannot be read")
        start = headers.end()
        end = body.find(delimiter, start)
        if end < 0:
            raise _wrong(f"part {number} has no end")
        name, is_file = _name(headers[0], number)
        yield FormField(name, is_file, start, end)
        at = end + len(delimiter)
        after = body[at : at + 2]
        if after == b"--":
            return
        if after != b"\r\n":
            raise _wrong(f"part {number} ends with a boundary that goes on")
        at += 2
    raise _wrong(f"it has more than {_MOST_FIELDS} parts")


def _name(headers: bytes, number: int) -> tuple[str, bool]:
    """Read the name of a part, and whether it is a file."""
    found: list[re.Match[bytes] | None] = []
    for line in headers.splitlines(keepends=True):
        key, _, value = line.partition(b":")
        if key.lower() == b"content-disposition":
            found.append(_DISPOSITION.fullmatch(line))
        elif key.lower() == b"content-transfer-encoding" and value.strip().lower() not in _PLAIN:
            raise _wrong(f"part {number} is in another encoding, which servers ignore or follow")
    if len(found) != 1 or found[0] is None:
        raise _wrong(f"part {number} does not say its name as form-data does")
    quoted, bare, filenames = found[0].groups()
    return (bare if quoted is None else quoted).decode("utf-8", "replace"), bool(filenames)


def _wrong(reason: str) -> InvalidRequest:
    return InvalidRequest(
        f"the body is no multipart/form-data that can be read: {reason}; "
        "send what an HTTP library makes of a form",
        code="invalid_multipart",
    )
