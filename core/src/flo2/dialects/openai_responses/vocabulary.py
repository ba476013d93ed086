"""The fixed words of the Responses API that more than one module here needs. Imports: canonical.

Source: https://platform.openai.com/docs/api-reference/responses and the types of the official SDK
(openai 3.57), both read 2026-11-25.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CALLS", "DIALECT", "ENCRYPTED", "INPUT_TOKENS", "JSON", "OUTPUTS", "SUMMARY_BREAK"]

JSON = dict[str, Any]

DIALECT: Final = "openai.responses"
INPUT_TOKENS: Final = "openai.input_tokens"

CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items by which the model asks for a tool of the client's, and the field with what it says."""

OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})

ENCRYPTED: Final = "reasoning.encrypted_content"
"""The entry of `include` by which a client asks for reasoning that it can send back."""

SUMMARY_BREAK: Final = "\n\n"
"""What stands between two parts of a reasoning summary where they are one text."""
