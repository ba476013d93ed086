"""What a serving process runs: the app over one gateway, made anew in each worker.

Imports: shell, gateway, config.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from flo2.gateway import Gateway
from flo2.shell import create_app
from flo2.shell.logging import set_up_logging

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["Serving", "app", "log_to_stderr"]


@frozen
class Serving:
    """Makes the app in a worker; picklable, and holds no secret.

    The environment itself is not carried: a worker inherits the process's own, keys included.

    Attributes:
        config: The configuration file, or None.
        overlay: What flags said, as `FLO2__A__B`.
        log_level: Name of the least level that is logged.
    """

    config: Path | None = None
    overlay: Mapping[str, str] = field(factory=dict)
    log_level: str = "WARNING"

    def __call__(self) -> ASGIApp:
        """Make the gateway and its app."""
        log_to_stderr(self.log_level)
        environ = {**os.environ, **self.overlay}
        return create_app(Gateway.from_file(self.config, environ=environ))


def app() -> ASGIApp:
    """Make the app from the environment alone, for other ASGI servers.

    `uvicorn --factory flo2.cli.serving:app` reads `$FLO2_CONFIG` and `FLO2__A__B`.
    """
    named = os.environ.get("FLO2_CONFIG")
    return Serving(Path(named) if named else None)()


def log_to_stderr(level: str) -> None:
    """Send log lines to standard error, with what looks like a secret taken out."""
    set_up_logging(level)
