"""Ask Bedrock for the models and inference profiles of a region.

Imports: flo2, errors.

Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html and
API_ListInferenceProfiles.html, read 2026-11-25.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flo2 import ListedFacts, ModelInfo, ProviderError
from flo2.dialects.jsonio import loads
from flo2.model_lists import modalities
from flo2.secrets import scrub_bytes
from flo2_provider_bedrock.errors import read_error

if TYPE_CHECKING:
    from flo2.wire import Endpoint

__all__ = ["list_models"]

_KIND: Final = "bedrock"
_LIMIT: Final = 8 << 20
_PAGES: Final = 20
_PROFILES: Final = "/inference-profiles?maxResults=1000"

Listed = tuple[ModelInfo, ListedFacts]
Headers = Callable[[str], list[tuple[str, str]]]


async def list_models(
    endpoint: Endpoint, headers: Headers, hidden: Sequence[str]
) -> Sequence[Listed]:
    """List what can be called on demand, models and profiles over several regions; what is said.

    Args:
        endpoint: The region's control host.
        headers: Gives the headers for a path, signature included.
        hidden: What no error may repeat.

    Raises:
        ProviderError, WireError: as `Provider.chat`.
    """
    page = await _ask(endpoint, "/foundation-models", headers, hidden)
    try:
        found = [_model(item) for item in page["modelSummaries"] if _on_demand(item)]
    except (AttributeError, KeyError, TypeError) as exc:
        raise _odd() from exc
    path = _PROFILES
    for _ in range(_PAGES):
        page = await _ask(endpoint, path, headers, hidden)
        try:
            found += [_profile(item) for item in page["inferenceProfileSummaries"]]
            token = page.get("nextToken")
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise _odd() from exc
        if not token:
            break
        # In this order: a signature wants the parameters sorted, and so they are sent.
        path = f"{_PROFILES}&nextToken={quote(str(token), safe='')}"
    return found


async def _ask(endpoint: Endpoint, path: str, headers: Headers, hidden: Sequence[str]) -> Any:
    response = await endpoint.send("GET", path, headers(path), b"")
    try:
        body = await response.read(_LIMIT)
    finally:
        await response.aclose()
    if response.status != 200:
        told = {name.lower(): value for name, value in response.headers}
        error = read_error(response.status, told, scrub_bytes(body, *hidden))
        error.provider = _KIND
        raise error
    try:
        return loads(body)
    except ValueError as exc:
        raise _odd() from exc


def _on_demand(item: Mapping[str, Any]) -> bool:
    return "ON_DEMAND" in item.get("inferenceTypesSupported", ())


def _model(item: Mapping[str, Any]) -> Listed:
    name, owner = item.get("modelName"), item.get("providerName")
    info = ModelInfo(str(item["modelId"]), _KIND, display_name=name, owned_by=owner)
    said = ListedFacts(
        input=modalities(item.get("inputModalities")),
        output=modalities(item.get("outputModalities")),
    )
    return info, said


def _profile(item: Mapping[str, Any]) -> Listed:
    created = item.get("createdAt")
    seconds = int(datetime.fromisoformat(created).timestamp()) if created else 0
    name = item.get("inferenceProfileName")
    info = ModelInfo(str(item["inferenceProfileId"]), _KIND, seconds, display_name=name)
    return info, ListedFacts()


def _odd() -> ProviderError:
    return ProviderError(
        "provider 'bedrock' answered its model list with something else",
        provider=_KIND,
        status=200,
    )
