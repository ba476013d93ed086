"""Content parts that Mistral writes in a form of its own.

Pure. Imports: the standard library only.

Source: https://github.com/mistralai/client-python, models/audiochunk.py, documenturlchunk.py and
filechunk.py (read 2026-11-25); recordings/mistral (…sends-audio…, …reads-an-attached-pdf…).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["audio_part", "file_part"]


def audio_part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write audio as its bare data; Mistral finds its format out itself."""
    audio = part.get("input_audio")
    if isinstance(audio, Mapping) and isinstance(data := audio.get("data"), str):
        return {"type": "input_audio", "input_audio": data}
    return part


def file_part(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write a document by its data URL, or by the id of an uploaded file."""
    file = part.get("file")
    if not isinstance(file, Mapping):
        return part
    if isinstance(file_id := file.get("file_id"), str):
        return {"type": "file", "file_id": file_id}
    if not isinstance(data := file.get("file_data"), str):
        return part
    written = {"type": "document_url", "document_url": data}
    if isinstance(name := file.get("filename"), str):
        written["document_name"] = name
    return written
