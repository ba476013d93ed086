"""Anthropic: messages, token counting and the model list."""
