"""The fixed words of the Converse API that more than one module here needs.

Pure data. Imports: flo2.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and the
service model of botocore 1.44.8 (`bedrock-runtime/2023-09-30`), both read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flo2.canonical import FinishReason

__all__ = ["AUDIO", "DOCUMENTS", "FINISH_OF", "IMAGES", "MESSAGE_TYPE", "NAME", "STOP_REASON_OF"]

NAME: Final = "bedrock.converse"

MESSAGE_TYPE: Final = {":content-type": "application/json", ":message-type": "event"}

IMAGES: Final = frozenset({"png", "jpeg", "gif", "webp"})

AUDIO: Final = frozenset(
    {"mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg"}
    | {"mpga", "pcm", "webm"}
)

DOCUMENTS: Final[Mapping[str, str]] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
"""Document formats, and the media types they are known by elsewhere."""

FINISH_OF: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "model_context_window_exceeded": "context_window",
    "refusal": "refusal",
}

STOP_REASON_OF: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "tool_calls": "tool_use",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "content_filter": "content_filtered",
    "context_window": "model_context_window_exceeded",
    "refusal": "content_filtered",
    "pause": "end_turn",
    "other": "end_turn",
}
