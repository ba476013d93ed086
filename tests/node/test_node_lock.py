"""What the lock file of the Node SDKs says: exact versions and hashes, and no package index."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent


def test_the_lock_pins_every_package_and_names_no_host():
    text = (FOLDER / "package-lock.json").read_text()
    root, *packages = json.loads(text)["packages"].values()
    assert "://" not in text
    assert all(each["integrity"].startswith("sha512-") for each in packages)
    assert root["dependencies"] == json.loads((FOLDER / "package.json").read_text())["dependencies"]
    installed = json.loads(text)["packages"]
    found = {name: installed[f"node_modules/{name}"]["version"] for name in root["dependencies"]}
    assert found == root["dependencies"]
