"""Plugins from outside the workspace: found, loaded and used as any of ours.

The short form installs nothing: it gives the example packages the metadata that pip would. The
deep form builds wheels, installs them with pip into a fresh environment, and runs their own suites.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
FOLDERS = (EXAMPLES / "third_party_provider", EXAMPLES / "custom_strategy")
PAGES = {
    "third_party_provider": ROOT / "docs" / "write-a-provider.md",
    "custom_strategy": ROOT / "docs" / "write-a-strategy.md",
}

each_example = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)

CALL = """
import json
import anyio
from flo2 import Gateway, MemoryStore, RouteSpec, Secret, TargetSpec, Wire
from flo2.testing import FakeUpstream

ANSWER = {
    "id": "c-1", "object": "chat.completion", "created": 1, "model": "m1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"},
                 "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}

async def main():
    upstream = FakeUpstream()
    upstream.reply(json=ANSWER)
    gateway = Gateway.build(
        {
            "plugins": {"only": ["provider-acme", "strategy-thrifty"]},
            "providers": {"acme": {"project": "flo2"}},
        },
        store=MemoryStore(),
        environ={},
        wire=Wire(transport=upstream.transport()),
    )
    async with gateway:
        await gateway.add_credential("acme", Secret("sk-of-acme-0123456789"))
        _, key = await gateway.issue_key("test")
        targets = (TargetSpec("acme", "m1"), TargetSpec("acme", "m2"))
        gateway.store.put_route(RouteSpec("default", "cheap", "thrifty", targets))
        await gateway.refresh(force=True)
        asked = {
            "model": "cheap",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_completion_tokens": 7,
            "logit_bias": {"1": 2},
        }
        async with gateway.chat(asked, key=key.reveal()) as answer:
            said = (await answer.response()).choices[0].parts[0].text
        receipt = await gateway.receipt(answer.request_id, account="default", key_id=None)
    sent = upstream.last
    print(json.dumps({
        "plugins": [
            [each.name, each.distribution, each.version, each.error]
            for each in gateway.plugins.loaded
        ],
        "said": said,
        "project": sent.headers["x-acme-project"],
        "sent": sent.json(),
        "path": sent.path,
        "plan": receipt.exchange.plan,
        "losses": receipt.exchange.losses,
    }))

anyio.run(main)
"""


def _project(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def _unpack(folder: Path, site: Path) -> None:
    """Put a package and its metadata where pip would."""
    project = _project(folder)
    shutil.copytree(folder / "src", site, dirs_exist_ok=True)
    name = str(project["name"]).replace("-", "_")
    info = site / f"{name}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["flo2"]  # type: ignore[index]  # the file says so
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[flo2]\n{lines}")


def _run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@each_example
def test_an_example_is_short_and_its_test_is_three_lines(folder: Path):
    (source,) = (folder / "src").glob("*/__init__.py")
    (test,) = (folder / "tests").glob("test_*.py")
    assert len(source.read_text().splitlines()) < 60
    lines = [line for line in test.read_text().splitlines() if line.strip()]
    assert [line.split()[0] for line in lines] == ["from", "from", "class", lines[-1].split()[0]]


@each_example
def test_the_page_shows_the_example_as_it_is(folder: Path):
    (source,) = (folder / "src").glob("*/__init__.py")
    (test,) = (folder / "tests").glob("test_*.py")
    page = PAGES[folder.name].read_text()
    for file in (source, test, folder / "pyproject.toml"):
        assert file.read_text() in page, f"{file.name} differs from {PAGES[folder.name].name}"


def test_an_outside_plugin_is_found_by_its_entry_point_and_serves_a_call(tmp_path: Path):
    site = tmp_path / "site"
    for folder in FOLDERS:
        _unpack(folder, site)
    env = {**os.environ, "PYTHONPATH": str(site)}
    said = json.loads(_run(sys.executable, "-c", CALL, env=env, cwd=tmp_path))

    assert said == {
        "plugins": [
            ["provider-acme", "flo2-provider-acme", "0.1.0", None],
            ["strategy-thrifty", "flo2-strategy-thrifty", "0.1.0", None],
            ["flo2", "", "", None],
        ],
        "said": "Hi",
        "project": "flo2",
        "sent": {
            "model": "m1",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 7,
        },
        "path": "/v1/chat/completions",
        "plan": "0 of 2 targets cost at most $0.01 for this call",
        "losses": ["logit_bias: the model's host does not take it"],
    }


@each_example
def test_an_example_passes_its_own_suite(folder: Path, tmp_path: Path):
    _unpack(folder, tmp_path / "site")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    shutil.copytree(folder / "tests", tmp_path / "tests")
    out = _run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", env=env, cwd=tmp_path
    )
    assert re.search(r"^\d+ passed", out.splitlines()[-1])


@pytest.mark.deep
def test_installed_with_pip_in_a_fresh_environment(tmp_path: Path):
    wheels, home = tmp_path / "wheels", tmp_path / "venv"
    for folder in (ROOT, *FOLDERS):
        build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels)
        _run(*build, cwd=folder)
    venv.create(home, with_pip=True)
    scripts = home / ("Scripts" if os.name == "nt" else "bin")
    (core,) = wheels.glob("flo2-0*.whl")
    ours = [each for each in sorted(wheels.glob("*.whl")) if each != core]
    # The versions that this repository is tested with.
    pins = re.findall(
        r"^[\w.-]+==[^\\\n]+", (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE
    )
    (tmp_path / "pins.txt").write_text("\n".join(pins))
    pip = (scripts / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(*pip, "-c", tmp_path / "pins.txt", f"{core}[testing]", *ours, cwd=tmp_path)

    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    listed = json.loads(_run(scripts / "flo2", "plugins", "--json", env=env, cwd=tmp_path))
    for folder in FOLDERS:
        shutil.copytree(folder / "tests", tmp_path / folder.name / "tests")
        out = _run(scripts / "pytest", "-q", env=env, cwd=tmp_path / folder.name)
        assert re.search(r"^\d+ passed", out.splitlines()[-1])
    said = json.loads(_run(scripts / "python", "-c", CALL, env=env, cwd=tmp_path))

    text = json.dumps(listed)
    assert "flo2-provider-acme" in text
    assert "flo2-strategy-thrifty" in text
    assert said["said"] == "Hi"
