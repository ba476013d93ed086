"""What the lock files of npm packages say: exact versions and hashes, and no package index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("folder", ["agents", "node"])
def test_the_lock_pins_every_package_and_names_no_host(folder):
    text = (TESTS / folder / "package-lock.json").read_text()
    wanted = json.loads((TESTS / folder / "package.json").read_text())["dependencies"]
    root, *packages = json.loads(text)["packages"].values()
    assert "://" not in text
    assert all(each["integrity"].startswith("sha512-") for each in packages)
    assert root["dependencies"] == wanted
    installed = json.loads(text)["packages"]
    found = {name: installed[f"node_modules/{name}"]["version"] for name in root["dependencies"]}
    assert found == wanted
