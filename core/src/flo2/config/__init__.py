"""What one process needs to know, from `flo2.toml`, the environment and Python.

What people change at run time (keys, credentials, routes) is not here: it lives in the store.
"""

from __future__ import annotations

from flo2.config.load import load, structure, structure_table
from flo2.config.model import (
    Config,
    DrainConfig,
    NetworkConfig,
    PluginsConfig,
    SecretsConfig,
    ServerConfig,
)

__all__ = [
    "Config",
    "DrainConfig",
    "NetworkConfig",
    "PluginsConfig",
    "SecretsConfig",
    "ServerConfig",
    "load",
    "structure",
    "structure_table",
]
