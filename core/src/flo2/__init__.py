# ruff: noqa: I001  # names re-exported as `X as X` stay together, one statement a module
"""flo2: an LLM gateway for your own provider keys, where every call is exactly costed.

Everything public is here; it is loaded when it is first asked for, so that `import flo2` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flo2.billing import (
        BILLING_KEYS as BILLING_KEYS,
        BillQuery as BillQuery,
        BillWindow as BillWindow,
        BillingRow as BillingRow,
        Booked as Booked,
        BooksView as BooksView,
        COVERED as COVERED,
        EVERY_METER as EVERY_METER,
        Explainer as Explainer,
        FetchesBills as FetchesBills,
        Finding as Finding,
        Gap as Gap,
        Importer as Importer,
        REQUESTS as REQUESTS,
        Shift as Shift,
        money_of as money_of,
    )
    from flo2.canonical import (
        Annotation as Annotation,
        Audio as Audio,
        CacheHint as CacheHint,
        Charge as Charge,
        Choice as Choice,
        Embedding as Embedding,
        EmbeddingInput as EmbeddingInput,
        Event as Event,
        Failed as Failed,
        File as File,
        Finish as Finish,
        Image as Image,
        Loss as Loss,
        LossPolicy as LossPolicy,
        Message as Message,
        Opaque as Opaque,
        OpaqueTool as OpaqueTool,
        Part as Part,
        PartDelta as PartDelta,
        PartStart as PartStart,
        PartStop as PartStop,
        Reasoning as Reasoning,
        ReasoningOptions as ReasoningOptions,
        Refusal as Refusal,
        Request as Request,
        Response as Response,
        ResponseFormat as ResponseFormat,
        Sampling as Sampling,
        Start as Start,
        SubUsage as SubUsage,
        Text as Text,
        Tool as Tool,
        ToolCall as ToolCall,
        ToolChoice as ToolChoice,
        ToolResult as ToolResult,
        Usage as Usage,
        UsageUpdate as UsageUpdate,
        Vector as Vector,
        charge_of as charge_of,
        fold as fold,
    )
    from flo2.config import Config as Config
    from flo2.dialects.base import (
        Chunk as Chunk,
        Decoder as Decoder,
        Dialect as Dialect,
        Encoder as Encoder,
        Observed as Observed,
        Peek as Peek,
        Profile as Profile,
        ReadUsage as ReadUsage,
        kind_of_status as kind_of_status,
    )
    from flo2.dialects.chat_host import ChatHost as ChatHost
    from flo2.dialects.gemini import Gemini as Gemini, GeminiCountTokens as GeminiCountTokens
    from flo2.dialects.openai_responses import (
        OpenAIInputTokens as OpenAIInputTokens,
        OpenAIResponses as OpenAIResponses,
    )
    from flo2.errors import (
        AllAttemptsFailed as AllAttemptsFailed,
        AuthenticationFailed as AuthenticationFailed,
        BillingError as BillingError,
        BudgetExceeded as BudgetExceeded,
        ConfigError as ConfigError,
        Flo2Error as Flo2Error,
        InvalidRequest as InvalidRequest,
        NotFound as NotFound,
        PluginError as PluginError,
        ProviderError as ProviderError,
        ReadFailed as ReadFailed,
        RefusedCall as RefusedCall,
        SecretError as SecretError,
        StoreError as StoreError,
        Unavailable as Unavailable,
        UnsupportedCall as UnsupportedCall,
        WireError as WireError,
        WireTimeout as WireTimeout,
    )
    from flo2.gateway import Answer as Answer, Gateway as Gateway, receipt_json as receipt_json
    from flo2.hookspecs import Register as Register, hookimpl as hookimpl
    from flo2.http_provider import HttpProvider as HttpProvider
    from flo2.memory_store import MemoryStore as MemoryStore
    from flo2.model_facts import ListedFacts as ListedFacts, ModelFacts as ModelFacts
    from flo2.openai_compatible import OpenAICompatible as OpenAICompatible
    from flo2.operations import (
        CountsTokens as CountsTokens,
        Embeds as Embeds,
        MakesImages as MakesImages,
        Moderates as Moderates,
        Speaks as Speaks,
        Transcribes as Transcribes,
    )
    from flo2.plan import (
        Candidate as Candidate,
        Health as Health,
        Latency as Latency,
        Plan as Plan,
        RouteView as RouteView,
        Stage as Stage,
    )
    from flo2.prices import (
        Bounds as Bounds,
        Cost as Cost,
        CostLine as CostLine,
        PriceBook as PriceBook,
        PriceRow as PriceRow,
    )
    from flo2.protocols import (
        Call as Call,
        Credential as Credential,
        DescribesModels as DescribesModels,
        Facts as Facts,
        Inbound as Inbound,
        KnowsModels as KnowsModels,
        ListsModels as ListsModels,
        ModelInfo as ModelInfo,
        Observer as Observer,
        PriceSource as PriceSource,
        Profiles as Profiles,
        Provider as Provider,
        Reply as Reply,
        SpeaksPerModel as SpeaksPerModel,
        Strategy as Strategy,
    )
    from flo2.records import (
        Adjust as Adjust,
        Attribution as Attribution,
        Entry as Entry,
        Exchange as Exchange,
        Intent as Intent,
        Pend as Pend,
        Record as Record,
        Settle as Settle,
        Void as Void,
    )
    from flo2.secrets import Secret as Secret
    from flo2.services import Services as Services
    from flo2.shell import create_app as create_app
    from flo2.spending import (
        BudgetStore as BudgetStore,
        Lease as Lease,
        LeaseAsk as LeaseAsk,
        Standing as Standing,
    )
    from flo2.stored import (
        Account as Account,
        AttributionRules as AttributionRules,
        Declaration as Declaration,
        IssuedKey as IssuedKey,
        LabelRule as LabelRule,
        RouteSpec as RouteSpec,
        SealedCredential as SealedCredential,
        TargetSpec as TargetSpec,
    )
    from flo2.stores import (
        ChainLink as ChainLink,
        EntryFilter as EntryFilter,
        PrunableStore as PrunableStore,
        Store as Store,
        WriterHead as WriterHead,
    )
    from flo2.sums import UsageRow as UsageRow, summarise as summarise
    from flo2.wire import Wire as Wire

__version__ = "0.1.0"

_HOME = {
    "flo2.billing": (
        "BILLING_KEYS BillQuery BillWindow BillingRow Booked BooksView COVERED EVERY_METER "
        "Explainer FetchesBills Finding Gap Importer REQUESTS Shift money_of"
    ),
    "flo2.canonical": (
        "Annotation Audio CacheHint Charge Choice Embedding EmbeddingInput Event Failed "
        "File Finish Image Loss LossPolicy Message Opaque OpaqueTool Part PartDelta "
        "PartStart PartStop Reasoning ReasoningOptions Refusal Request Response "
        "ResponseFormat Sampling Start SubUsage Text Tool ToolCall ToolChoice ToolResult "
        "Usage UsageUpdate Vector charge_of fold"
    ),
    "flo2.config": "Config",
    "flo2.dialects.base": (
        "Chunk Decoder Dialect Encoder Observed Peek Profile ReadUsage kind_of_status"
    ),
    "flo2.dialects.chat_host": "ChatHost",
    "flo2.dialects.gemini": "Gemini GeminiCountTokens",
    "flo2.dialects.openai_responses": "OpenAIInputTokens OpenAIResponses",
    "flo2.errors": (
        "AllAttemptsFailed AuthenticationFailed BillingError BudgetExceeded ConfigError "
        "Flo2Error InvalidRequest NotFound PluginError ProviderError ReadFailed RefusedCall "
        "SecretError StoreError Unavailable UnsupportedCall WireError WireTimeout"
    ),
    "flo2.gateway": "Answer Gateway receipt_json",
    "flo2.hookspecs": "Register hookimpl",
    "flo2.http_provider": "HttpProvider",
    "flo2.memory_store": "MemoryStore",
    "flo2.model_facts": "ListedFacts ModelFacts",
    "flo2.openai_compatible": "OpenAICompatible",
    "flo2.operations": "CountsTokens Embeds MakesImages Moderates Speaks Transcribes",
    "flo2.plan": "Candidate Health Latency Plan RouteView Stage",
    "flo2.prices": "Bounds Cost CostLine PriceBook PriceRow",
    "flo2.protocols": (
        "Call Credential DescribesModels Facts Inbound KnowsModels ListsModels ModelInfo "
        "Observer PriceSource Profiles Provider Reply SpeaksPerModel Strategy"
    ),
    "flo2.records": "Adjust Attribution Entry Exchange Intent Pend Record Settle Void",
    "flo2.secrets": "Secret",
    "flo2.services": "Services",
    "flo2.shell": "create_app",
    "flo2.spending": "BudgetStore Lease LeaseAsk Standing",
    "flo2.stored": (
        "Account AttributionRules Declaration IssuedKey LabelRule RouteSpec "
        "SealedCredential TargetSpec"
    ),
    "flo2.stores": "ChainLink EntryFilter PrunableStore Store WriterHead",
    "flo2.sums": "UsageRow summarise",
    "flo2.wire": "Wire",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "BILLING_KEYS",
    "COVERED",
    "EVERY_METER",
    "REQUESTS",
    "Account",
    "Adjust",
    "AllAttemptsFailed",
    "Annotation",
    "Answer",
    "Attribution",
    "AttributionRules",
    "Audio",
    "AuthenticationFailed",
    "BillQuery",
    "BillWindow",
    "BillingError",
    "BillingRow",
    "Booked",
    "BooksView",
    "Bounds",
    "BudgetExceeded",
    "BudgetStore",
    "CacheHint",
    "Call",
    "Candidate",
    "ChainLink",
    "Charge",
    "ChatHost",
    "Choice",
    "Chunk",
    "Config",
    "ConfigError",
    "Cost",
    "CostLine",
    "CountsTokens",
    "Credential",
    "Declaration",
    "Decoder",
    "DescribesModels",
    "Dialect",
    "Embedding",
    "EmbeddingInput",
    "Embeds",
    "Encoder",
    "Entry",
    "EntryFilter",
    "Event",
    "Exchange",
    "Explainer",
    "Facts",
    "Failed",
    "FetchesBills",
    "File",
    "Finding",
    "Finish",
    "Flo2Error",
    "Gap",
    "Gateway",
    "Gemini",
    "GeminiCountTokens",
    "Health",
    "HttpProvider",
    "Image",
    "Importer",
    "Inbound",
    "Intent",
    "InvalidRequest",
    "IssuedKey",
    "KnowsModels",
    "LabelRule",
    "Latency",
    "Lease",
    "LeaseAsk",
    "ListedFacts",
    "ListsModels",
    "Loss",
    "LossPolicy",
    "MakesImages",
    "MemoryStore",
    "Message",
    "ModelFacts",
    "ModelInfo",
    "Moderates",
    "NotFound",
    "Observed",
    "Observer",
    "Opaque",
    "OpaqueTool",
    "OpenAICompatible",
    "OpenAIInputTokens",
    "OpenAIResponses",
    "Part",
    "PartDelta",
    "PartStart",
    "PartStop",
    "Peek",
    "Pend",
    "Plan",
    "PluginError",
    "PriceBook",
    "PriceRow",
    "PriceSource",
    "Profile",
    "Profiles",
    "Provider",
    "ProviderError",
    "PrunableStore",
    "ReadFailed",
    "ReadUsage",
    "Reasoning",
    "ReasoningOptions",
    "Record",
    "Refusal",
    "RefusedCall",
    "Register",
    "Reply",
    "Request",
    "Response",
    "ResponseFormat",
    "RouteSpec",
    "RouteView",
    "Sampling",
    "SealedCredential",
    "Secret",
    "SecretError",
    "Services",
    "Settle",
    "Shift",
    "Speaks",
    "SpeaksPerModel",
    "Stage",
    "Standing",
    "Start",
    "Store",
    "StoreError",
    "Strategy",
    "SubUsage",
    "TargetSpec",
    "Text",
    "Tool",
    "ToolCall",
    "ToolChoice",
    "ToolResult",
    "Transcribes",
    "Unavailable",
    "UnsupportedCall",
    "Usage",
    "UsageRow",
    "UsageUpdate",
    "Vector",
    "Void",
    "Wire",
    "WireError",
    "WireTimeout",
    "WriterHead",
    "__version__",
    "charge_of",
    "create_app",
    "fold",
    "hookimpl",
    "kind_of_status",
    "money_of",
    "receipt_json",
    "summarise",
]


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
