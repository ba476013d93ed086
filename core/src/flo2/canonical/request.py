"""A request in the form every dialect is translated through.

Pure data: no I/O. Imports: `parts`, `embedding`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import field, frozen

from flo2.canonical.embedding import Embedding
from flo2.canonical.parts import CacheHint, Extras, Part

__all__ = [
    "Message",
    "OpaqueTool",
    "ReasoningOptions",
    "Request",
    "ResponseFormat",
    "Role",
    "Sampling",
    "Tool",
    "ToolChoice",
]

Role = Literal["system", "developer", "user", "assistant", "tool"]


@frozen(slots=False)
class Message:
    """One turn.

    System and developer messages stay where they stood, also in mid-conversation; a dialect with a
    separate system field takes the leading run of them. Tool results are parts of a `tool` message.

    Attributes:
        plain: The client wrote the content as one bare string; where the dialect knows that form,
            it writes a single bare Text so again.
    """

    role: Role
    content: tuple[Part, ...]
    name: str | None = None
    plain: bool = False
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Tool:
    """A function the model may call; `parameters` is its JSON Schema as the client wrote it.

    Attributes:
        qualified: Namespace and name, where its dialect knows it by two words; see `ToolCall`.
    """

    name: str
    description: str | None = None
    parameters: Mapping[str, Any] | None = None
    strict: bool | None = None
    kind: Literal["function", "custom"] = "function"
    cache: CacheHint | None = None
    extras: Extras = field(factory=dict)
    qualified: tuple[str, str] | None = None


@frozen(slots=False)
class OpaqueTool:
    """A tool of one dialect (server tools, hosted search …): its JSON object, untouched.

    Attributes:
        functions: What of it can be told to other dialects, as functions.
    """

    dialect: str
    data: Mapping[str, Any]
    functions: tuple[Tool, ...] = ()


@frozen(slots=False)
class ToolChoice:
    """`auto`, `none`, `required`, or the one named tool."""

    mode: Literal["auto", "none", "required", "tool"]
    name: str | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class ResponseFormat:
    """`text`, `json_object`, or `json_schema` with a schema."""

    kind: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema: Mapping[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Sampling:
    """How to draw the answer. None means: the client did not say.

    Attributes:
        max_output_tokens: The most the model may write, reasoning included.
        max_output_field: Which field the client used, so that an equal dialect writes it again.
        stop: Stop sequences.
        stop_as_text: The client wrote the one sequence as bare text, not as a list.
        n: How many answers.
        logprobs: Whether log probabilities are wanted; `top_logprobs` how many alternatives.
    """

    max_output_tokens: int | None = None
    max_output_field: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    stop_as_text: bool = False
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


@frozen(slots=False)
class ReasoningOptions:
    """How much to think.

    Attributes:
        mode: `off`, `enabled` (with a budget), `adaptive` (the model decides), None: not said.
        effort: The vendor's word (`minimal`, `low`, `medium`, `high`, …).
        budget_tokens: Most tokens to think with.
        display: Whether and how thinking is shown (`omitted`, `summarized`, …).
    """

    mode: Literal["off", "enabled", "adaptive"] | None = None
    effort: str | None = None
    budget_tokens: int | None = None
    display: str | None = None
    extras: Extras = field(factory=dict)


@frozen(slots=False)
class Request:
    """One request: a conversation, or what is to be embedded.

    Attributes:
        embedding: What is to be turned into vectors; there are no messages then.
        origin: Name of the dialect it was parsed from ("" when built in Python); every `extras`
            inside belongs to it.
        stream: Whether the answer is wanted as a stream.
        include_usage: Whether the client asked for usage inside the stream; None: the dialect
            always sends it or has no such switch.
        end_user: An opaque id of the person at the client's end (`user`, `metadata.user_id`).
        metadata: The client's own key-value pairs, as parsed.
        extras: Unmodelled top-level fields.
        essential: Names of extras without which the request means something else (a reference to
            what the provider keeps): another dialect refuses them instead of leaving them out.
    """

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool | OpaqueTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    sampling: Sampling = field(factory=Sampling)
    reasoning: ReasoningOptions | None = None
    stream: bool | None = None
    include_usage: bool | None = None
    service_tier: str | None = None
    end_user: str | None = None
    metadata: Mapping[str, Any] | None = None
    cache: CacheHint | None = None
    embedding: Embedding | None = None
    extras: Extras = field(factory=dict)
    essential: frozenset[str] = frozenset()
    origin: str = ""
