"""Turn canonical parts into the parts of a content, and name what does not fit.

What is of this dialect's own making (`extras`, opaque parts, signatures) goes out only when it came
in this dialect; of any other it is a `Loss`. Pure. Imports: canonical, errors.

Source: https://ai.google.dev/api/caching#Part, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from flo2.canonical import (
    Audio,
    Extras,
    File,
    Image,
    Loss,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Severity,
    Text,
    ToolCall,
    ToolResult,
)
from flo2.dialects.anthropic_messages.values import sent_arguments
from flo2.dialects.base import Profile
from flo2.dialects.bookkeeping import lost_part, severity_of, word_of
from flo2.dialects.gemini.call_ids import is_made
from flo2.dialects.gemini.media import inline, media_type_of
from flo2.dialects.gemini.seals import ON_NEXT, ON_PREVIOUS, seals
from flo2.dialects.gemini.vocabulary import MEDIA_IN_RESULTS, NAME, PLACEHOLDER
from flo2.dialects.jsonio import loads

__all__ = ["PartWriter", "Piece"]

Piece = dict[str, Any]

_PLACEHOLDER: Final = {"thoughtSignature": PLACEHOLDER}
_NESTED: Final = frozenset({"inlineData", "fileData", "functionCall", "functionResponse"})


class PartWriter:
    """Write parts of one request and collect the losses.

    Args:
        origin: The dialect the request came from.
        profile: What the model takes.
        essential: Top-level extras that must not be left out.
    """

    def __init__(
        self, origin: str, profile: Profile, essential: frozenset[str] = frozenset()
    ) -> None:
        self.own: bool = origin == NAME
        self.essential: frozenset[str] = essential
        self.losses: list[Loss] = []
        self._names: dict[str, str] = {}
        self._media_beside = not self.own and MEDIA_IN_RESULTS in profile.drops
        self._needs_signatures = not self.own and PLACEHOLDER not in profile.drops

    def lose(self, path: str, reason: str, severity: Severity = "drop") -> None:
        """Note a loss."""
        self.losses.append(Loss(path, reason, severity))

    def extras(self, extras: Extras, path: str) -> Mapping[str, Any]:
        """Give unmodelled fields of this dialect; lose those of another."""
        if self.own or not extras:
            return extras
        for key, value in extras.items():
            severity = severity_of(key, value, top=not path, essential=self.essential)
            if severity is not None:
                at = f"{path}.{key}" if path else key
                self.lose(at, "not a field of this API", severity)
        return {}

    def parts(self, parts: Iterable[Part], path: str) -> list[Piece]:
        """Write the parts of a user's turn."""
        return self.turn((part, f"{path}[{i}]") for i, part in enumerate(parts))

    def turn(self, parts: Iterable[tuple[Part, str]], *, said: bool = False) -> list[Piece]:
        """Write the parts of one turn; those that cannot be said are left out and lost.

        Args:
            parts: What stands in it, each with its path.
            said: The model said it; what it had from its provider's own tools may be left out.
        """
        pieces: list[Piece] = []
        unsigned = self._needs_signatures
        waiting = ""  # a signature whose part comes next
        before: Part | None = None
        for part, path in parts:
            if isinstance(part, Reasoning) and part.origin == NAME and part.signature:
                place = seals(part)
                if place == ON_NEXT:
                    pieces += _beside(waiting)
                    waiting = part.signature
                elif place == ON_PREVIOUS and pieces and isinstance(before, Text):
                    pieces[-1]["thoughtSignature"] = part.signature
                elif place is not None:
                    pieces += _beside(waiting, part.signature)
                    waiting = ""
                if place is not None:
                    continue
            if isinstance(part, Opaque) and part.dialect == NAME and part.data == _PLACEHOLDER:
                waiting = PLACEHOLDER
                continue
            found = self._piece(part, path, said=said)
            before = part if found else None
            if waiting and found:
                if isinstance(part, ToolCall | Image | Audio | File):
                    found[0]["thoughtSignature"] = waiting
                else:
                    pieces += _beside(waiting)
                waiting = ""
            if unsigned and isinstance(part, ToolCall) and found:
                # Of calls made at once the first alone is signed, so only that one is checked.
                unsigned = False
                if "thoughtSignature" not in found[0]:
                    found[0]["thoughtSignature"] = PLACEHOLDER
                    reason = "no signature of this provider; sent with its placeholder"
                    self.lose(f"{path}.signature", reason, "note")
            pieces += found
        return pieces + _beside(waiting)

    def _piece(self, part: Part, path: str, *, said: bool) -> list[Piece]:
        match part:
            case Text():
                return self._text(part, path)
            case Image() | Audio() | File():
                return self._media(part, path)
            case ToolCall():
                return self._call(part, path)
            case ToolResult():
                return self._result(part, path)
            case Reasoning():
                return self._thought(part, path)
            case Refusal():
                self.lose(path, "a refusal is sent as text", "note")
                return [{"text": part.text}] if part.text else []
            case Opaque() if part.dialect == NAME:
                return [dict(part.data)]
            case Opaque(text=text) if text:
                self.lose(path, f"{word_of(part)!r} is sent as text", "note")
                return [{"text": text}]
            case Opaque():
                self.lose(path, *lost_part(part, made=said))
                return []

    def _finish(self, piece: Piece, part: Any, path: str) -> list[Piece]:
        if part.extras:
            for key, value in self.extras(part.extras, path).items():
                inner = piece.get(key)
                nested = key in _NESTED and isinstance(inner, dict)
                piece[key] = {**inner, **value} if nested and inner is not None else value
        cache = getattr(part, "cache", None)
        if cache is not None:
            self.lose(f"{path}.cache", "cached by the provider's own rules, not by marks", "note")
        return [piece]

    def _text(self, part: Text, path: str) -> list[Piece]:
        if part.citations and not self.own:
            self.lose(f"{path}.citations", "annotations are not sent back")
        if not part.text and not self.own:
            return []  # other dialects use "" to say nothing
        return self._finish({"text": part.text}, part, path)

    def _thought(self, part: Reasoning, path: str) -> list[Piece]:
        if part.origin != NAME or part.encrypted is not None:
            self.lose(path, f"reasoning of {part.origin or 'another provider'}")
            return []
        piece: Piece = {"text": part.text, "thought": True}
        if part.signature:
            piece["thoughtSignature"] = part.signature
        return [{**piece, **part.extras} if self.own else piece]

    def _media(self, part: Image | Audio | File, path: str) -> list[Piece]:
        if isinstance(part, Image) and part.detail not in {None, "auto"}:
            self.lose(f"{path}.detail", "image detail cannot be chosen")
        if isinstance(part, File):
            if part.content:
                return self.parts(part.content, f"{path}.content")
            self._about(part, path)
            if part.text is not None:
                heads = [] if self.own else [part.filename, part.context]
                text = "\n".join([*filter(None, heads), part.text])
                self.lose(path, "a text document is sent as text", "note")
                return self._finish({"text": text}, part, path)
        where = part.audio_id if isinstance(part, Audio) else part.file_id
        if where is not None and not self.own:
            self.lose(path, "a file id of another provider", "refuse")
            return []
        url = where if isinstance(part, Audio) else where or part.url
        if url is not None:
            return self._link(url, part, path)
        if (blob := inline(part)) is None:
            self.lose(path, "neither data nor its media type is given", "refuse")
            return []
        if self.own and isinstance(part, File) and part.filename is not None:
            blob["displayName"] = part.filename
        return self._finish({"inlineData": blob}, part, path)

    def _about(self, part: File, path: str) -> None:
        """Lose what a document says about itself and this dialect has no place for."""
        if self.own:
            return
        if part.citations:
            self.lose(f"{path}.citations", "citations cannot be asked for")
        if part.text is None:
            if part.context is not None:
                self.lose(f"{path}.context", "a document's context has no field")
            if part.filename is not None:
                self.lose(f"{path}.filename", "a file has no name here", "note")

    def _link(self, url: str, part: Image | Audio | File, path: str) -> list[Piece]:
        if not self.own and not url.startswith("https://"):
            # "You can pass publicly accessible HTTPS URLs or pre-signed URLs directly"
            # (https://ai.google.dev/gemini-api/docs/file-input-methods, read 2026-11-25).
            self.lose(path, "only https addresses are fetched", "refuse")
            return []
        link: Piece = {"fileUri": url}
        media_type = None if isinstance(part, Audio) else part.media_type
        if media_type is None and not self.own:
            media_type = media_type_of(url)
        if media_type is not None:
            link["mimeType"] = media_type
        if self.own and isinstance(part, File) and part.filename is not None:
            link["displayName"] = part.filename
        return self._finish({"fileData": link}, part, path)

    def _call(self, part: ToolCall, path: str) -> list[Piece]:
        self._names[part.id] = part.name
        call: Piece = {"name": part.name, "args": sent_arguments(part, path, self.lose)}
        if part.id and not is_made(part.id):
            call = {"id": part.id, **call}
        piece: Piece = {"functionCall": call}
        extras = dict(part.extras)
        if signature := _signature(extras):
            piece["thoughtSignature"] = signature
        if self.own:
            return self._finish(piece, part, path)
        self.extras(extras, path)
        if part.cache is not None:
            self.lose(f"{path}.cache", "cached by the provider's own rules, not by marks", "note")
        return [piece]

    def _result(self, part: ToolResult, path: str) -> list[Piece]:
        name = self._names.get(part.call_id) or part.name
        if name is None:
            self.lose(f"{path}.call_id", "the call it answers is not in the conversation", "refuse")
            return []
        result: Piece = {"name": name}
        if part.call_id and not is_made(part.call_id):
            result["id"] = part.call_id
        texts: list[str] = []
        media: list[Piece] = []
        for i, each in enumerate(part.content):
            at = f"{path}.content[{i}]"
            for piece in self._piece(each, at, said=False):
                if isinstance(each, Text) and piece.keys() == {"text"}:
                    texts.append(each.text)
                elif piece.keys() == {"text"}:
                    texts.append(piece["text"])
                else:
                    media.append(piece)
        result["response"] = self._response(part, texts)
        if media and not self._media_beside:
            result["parts"] = media
            media = []
        elif media:
            self.lose(f"{path}.content", "media stand beside the result, in its turn", "note")
        return [*self._finish({"functionResponse": result}, part, path), *media]

    def _response(self, part: ToolResult, texts: list[str]) -> Mapping[str, Any]:
        key = "error" if part.is_error else "output"
        if self.own and not part.plain and part.is_error is None:
            if not texts:
                return {}
            if len(texts) == 1 and isinstance(whole := _json(texts[0]), dict):
                return whole
        return {key: texts if len(texts) > 1 else "".join(texts)}


def _beside(*signatures: str) -> list[Piece]:
    """Write signatures that stand on no part: each on an empty text."""
    return [{"text": "", "thoughtSignature": signature} for signature in signatures if signature]


def _signature(extras: dict[str, Any]) -> str | None:
    """Take a signature out of what Google's OpenAI-compatible API has for it.

    Source: https://ai.google.dev/gemini-api/docs/openai, "Thought signatures", read 2026-11-25.
    """
    match extras.get("extra_content"):
        case {"google": {"thought_signature": str() as signature}}:
            del extras["extra_content"]
            return signature
        case _:
            return None


def _json(text: str) -> Any:
    try:
        return loads(text)
    except ValueError:
        return None
