"""Media types: of data that is sent along, and of what an address leads to.

Pure. Imports: canonical.

Source: https://ai.google.dev/gemini-api/docs/file-input-methods, "Supported content types", read
2026-11-25.
"""

from __future__ import annotations

import mimetypes
from typing import Any, Final
from urllib.parse import urlsplit

from flo2.canonical import Audio, File, Image

__all__ = ["audio_format", "inline", "media_type_of"]

_FORMAT_OF: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}
# The table that comes with Python; not the system's, which differs from one to the next.
_TYPES: Final = mimetypes.MimeTypes(filenames=())


def audio_format(form: str) -> str:
    """Give the one word of a format that has several (`audio/mpeg` is `mp3`)."""
    return _FORMAT_OF.get(form, form)


def media_type_of(url: str) -> str | None:
    """Tell from an address or a file name what it leads to, or None."""
    return _TYPES.guess_type(urlsplit(url).path)[0]


def inline(part: Image | Audio | File) -> dict[str, Any] | None:
    """Give data with its media type; None where either is unknown."""
    if part.data is None:
        return None
    match part:
        case Audio():
            media_type = f"audio/{part.format}" if part.format else None
        case Image():
            media_type = part.media_type or "image/png"
        case File():
            media_type = part.media_type or media_type_of(part.filename or "")
    return None if media_type is None else {"mimeType": media_type, "data": part.data}
