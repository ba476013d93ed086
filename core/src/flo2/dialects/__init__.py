"""Wire formats: sans-IO codecs, one per public API. Pure; imports canonical and errors only."""

from __future__ import annotations
