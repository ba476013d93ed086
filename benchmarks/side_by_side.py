"""Prepare flo2 for a benchmark of several gateways against one mock provider.

    python benchmarks/side_by_side.py FOLDER --upstream http://127.0.0.1:9100/v1 > flo2.json

Makes a data folder with a store, a key, a credential and prices, a `flo2.toml`, and prints one JSON
list: how flo2 is started, on which port, with which headers, and the prefix of its model names.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import anyio

from flo2 import Gateway, Secret

PRICES = """
provider = "mock"
source = "the benchmark's own"
read_on = 2026-11-25
evidence = "simulated"
[defaults]
service_tier = ["", "default"]
[[model]]
name = "gpt-4o-mini-2024-07-18"
  [[model.price]]
  rates = { input_tokens = "0.15", cache_read_tokens = "0.075", output_tokens = "0.60" }
"""


async def prepare(config: Path) -> str:
    """Issue a key and keep a credential; gives the key."""
    async with Gateway.from_file(config) as gateway:
        _, secret = await gateway.issue_key("bench")
        await gateway.add_credential("mock", Secret("sk-bench-0123456789"))
        return secret.reveal()


def main() -> None:
    """Write the files, print the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--upstream", default="http://127.0.0.1:9100/v1")
    parser.add_argument("--port", type=int, default=8787)
    parser.add_argument("--name", default="flo2")
    parser.add_argument("--engine", default="auto")
    chosen = parser.parse_args()
    folder: Path = chosen.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "prices.toml").write_text(PRICES)
    config = folder / "flo2.toml"
    config.write_text(
        f"""
data_dir = {json.dumps(str(folder / "data"))}
[server]
port = {chosen.port}
[network]
allow_private = ["127.0.0.0/8"]
engine = {json.dumps(chosen.engine)}
[pricing.mine]
kind = "file"
path = {json.dumps(str(folder / "prices.toml"))}
[pricing.list]
[providers.mock]
kind = "openai-compatible"
base_url = {json.dumps(chosen.upstream)}
cancel_semantics = "stops"
"""
    )
    key = anyio.run(prepare, config)
    program = str(Path(sys.executable).with_name("flo2"))
    gateway = {
        "name": chosen.name,
        "port": chosen.port,
        "cmd": [program, "serve", "--config", str(config)],
        "headers": [f"Authorization: Bearer {key}"],
        "prefix": "mock/",
        "settle": 2,
    }
    print(json.dumps([gateway]))


if __name__ == "__main__":
    main()
