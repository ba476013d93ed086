"""flo2: an LLM gateway for your own provider keys, where every call is exactly costed."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
