"""The HTTP shell: the only importer of starlette."""

from __future__ import annotations

from flo2.shell.app import create_app

__all__ = ["create_app"]
