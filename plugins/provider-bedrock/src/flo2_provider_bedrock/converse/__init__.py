"""Bedrock's Converse API as a dialect."""

from __future__ import annotations

from flo2_provider_bedrock.converse.dialect import BedrockConverse

__all__ = ["BedrockConverse"]
