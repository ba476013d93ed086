"""Core names no provider: what is particular to one lives in its plugin.

Names of wire formats are no names of providers: `openai.chat` is spoken by many.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "core" / "src" / "flo2"

PROVIDERS = (
    "openai", "anthropic", "claude", "gpt", "google", "gemini", "vertex", "palm", "azure",
    "bedrock", "aws", "amazon", "groq", "mistral", "deepseek", "togetherai", "fireworks", "xai",
    "grok", "cohere", "ollama", "perplexity", "openrouter", "litellm", "huggingface", "replicate",
    "cerebras", "sambanova", "nebius", "deepinfra", "moonshot", "kimi", "qwen", "alibaba", "zhipu",
    "nvidia", "databricks", "cloudflare", "vercel", "lmstudio", "vllm", "hyperbolic", "novita",
    "voyage", "jina", "writer.com", "ai21", "minimax", "baseten", "lambda labs", "meta-llama",
)  # fmt: skip
NAME = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, PROVIDERS))})", re.IGNORECASE)

# Wire formats and the modules and classes that speak them, and the distributions' extras.
FORMATS = re.compile(
    r"openai[._-](?:chat|compatible|completions|embeddings|images|moderations|responses|speech"
    r"|transcriptions)\w*"
    r"|OpenAI(?:Chat|Compatible|Completions|Embeddings|Image|InputTokens|Moderations|Responses"
    r"|Speech|Transcriptions|Translations)\w*"
    r"|gemini\w*|Gemini\w*"
    r"|anthropic[._-](?:messages|count_tokens)\w*|Anthropic(?:Messages|CountTokens)\w*"
    r"|genai-prices"
)
URL = re.compile(r"https?://\S+")

FORMAT_FILES = (
    "dialects/",
    "shell/app.py",
    "shell/client.py",
    "shell/gemini.py",
    "shell/models.py",
    "shell/plugin_routes.py",
    "shell/surface.py",
)
"""Where a format's own names, headers and error words belong."""

ALLOWED = {
    ("openai_compatible.py", "openai"): "the format's name, after the vendor who published it",
    ("openai_compatible.py", "mistral"): "words of a client, which any host of the format may get",
    ("builtins.py", "openai"): "says in prose what `openai-compatible` means",
    ("gateway/gateway.py", "openai"): "says in which format `chat` takes a mapping",
    ("gateway/caller.py", "claude"): "a header that a client of many providers sends",
    ("secrets/redaction.py", "xai"): "beginnings of keys, so that no log shows one",
    ("secrets/redaction.py", "jina"): "same",
    ("cli/welcome.py", "openai"): "prints lines for the SDK that people have",
    ("cli/welcome.py", "anthropic"): "same",
    ("cli/welcome.py", "google"): "same",
}


def named(file: Path) -> set[str]:
    text = FORMATS.sub("", URL.sub("", file.read_text()))
    return {match.group().lower() for match in NAME.finditer(text)}


def files() -> list[str]:
    found = (each.relative_to(CORE).as_posix() for each in CORE.rglob("*.py"))
    return sorted(each for each in found if not each.startswith((*FORMAT_FILES, "testing/")))


@pytest.mark.parametrize("file", files())
def test_a_file_of_core_names_no_provider(file: str):
    assert {name for name in named(CORE / file) if (file, name) not in ALLOWED} == set()


def test_the_exceptions_are_still_needed():
    assert [(file, name) for file, name in ALLOWED if name not in named(CORE / file)] == []
