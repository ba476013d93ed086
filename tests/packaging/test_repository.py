"""The repository's frame: packages, pins, licences, and what a wheel holds."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import flo2
from flo2.testing.shared import repository_root

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(file.parent for file in (ROOT / "plugins").glob("*/pyproject.toml"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

each_plugin = pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)


def _project(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text())


def _package(folder: Path) -> str:
    return "flo2_" + folder.name.replace("-", "_")


def _pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def test_the_six_plugins_are_there():
    assert {
        "pricing-list",
        "provider-anthropic",
        "provider-openai",
        "provider-sandbox",
        "store-sql",
        "strategy-basic",
    } <= {folder.name for folder in PLUGINS}


def test_version_is_one_train():
    versions = {folder.name: _project(folder)["project"]["version"] for folder in [ROOT, *PLUGINS]}
    assert set(versions.values()) == {flo2.__version__}, versions


def test_command_and_pytest_plugin_are_entry_points():
    project = _project(ROOT)["project"]
    assert project["scripts"] == {"flo2": "flo2.cli:main"}
    assert project["entry-points"] == {"pytest11": {"flo2": "flo2.testing._pytest_plugin"}}


@each_plugin
def test_plugin_is_named_by_its_folder(folder: Path):
    project = _project(folder)["project"]
    assert project["name"] == f"flo2-{folder.name}"
    assert project["entry-points"] == {"flo2": {folder.name: _package(folder)}}
    # What holds others' work carries their licences as well.
    carried = sorted((folder / "src").rglob("*.LICENSE"))
    assert project["license"] == ("Apache-2.0 AND MIT" if carried else "Apache-2.0")
    for file in carried:
        assert file.relative_to(folder).as_posix() in project["license-files"]
    assert "flo2>=0.1,<0.2" in project["dependencies"]


@each_plugin
def test_plugin_is_typed_licensed_and_explained(folder: Path):
    assert (folder / "src" / _package(folder) / "py.typed").is_file()
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (folder / "README.md").read_text().startswith(f"# flo2-{folder.name}\n")


@each_plugin
def test_plugin_is_known_to_every_check(folder: Path):
    settings = _project(ROOT)["tool"]
    contracts = {each["id"]: each for each in settings["importlinter"]["contracts"]}
    package = _package(folder)
    assert settings["uv"]["sources"][f"flo2-{folder.name}"] == {"workspace": True}
    assert f"$MYPY_CONFIG_FILE_DIR/plugins/{folder.name}/src" in settings["mypy"]["mypy_path"]
    assert package in settings["coverage"]["run"]["source_pkgs"]
    assert package in settings["importlinter"]["root_packages"]
    assert package in contracts["core"]["forbidden_modules"]
    assert package in contracts["plugins"]["modules"]
    assert package in contracts["wire"]["source_modules"]
    assert f"plugins/{folder.name}/" in (ROOT / "README.md").read_text()


def _imports(file: Path) -> list[tuple[str, str]]:
    """Return (module, name) for each name that a file imports from flo2."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flo2":
            found += [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found += [
                (alias.name, "") for alias in node.names if alias.name.split(".")[0] == "flo2"
            ]
    return found


@each_plugin
def test_plugin_imports_only_public_names(folder: Path):
    private = [
        f"{file.relative_to(folder)}: {module}.{name}"
        for file in sorted((folder / "src").rglob("*.py"))
        for module, name in _imports(file)
        if any(part.startswith("_") for part in [*module.split("."), name])
    ]
    assert private == []


@each_lock
def test_every_pin_has_a_hash(lock: Path):
    lines = [line for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    blocks = re.split(r"\n(?=\S)", "\n".join(line for line in lines if line.strip()[0] != "#"))
    bare = [
        block for block in blocks if not re.match(r"[\w.-]+==", block) or "sha256:" not in block
    ]
    assert bare == []


@each_lock
def test_no_pin_names_a_host_or_a_path(lock: Path):
    text = lock.read_text()
    named = re.findall(
        r"^.*(?:://|\s@\s|--(?:index|extra|find|trusted)|file:|\.whl).*$", text, re.MULTILINE
    )
    assert named == []


def test_serve_installs_no_machine_learning_stack():
    heavy = {"torch", "transformers", "sentence-transformers", "faiss-cpu", "numpy", "scipy"}
    assert heavy & set(_pins(ROOT / "requirements" / "run.txt")) == set()


def test_dev_pins_what_run_pins():
    run, dev = (_pins(ROOT / "requirements" / name) for name in ("run.txt", "dev.txt"))
    assert {name: dev.get(name) for name in run} == run


def _closure(requirement: str) -> set[str]:
    """Return the distributions that installing `requirement` on this machine brings."""
    found: set[str] = set()
    todo = [Requirement(requirement)]
    while todo:
        one = todo.pop()
        name = canonicalize_name(one.name)
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            extras = one.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": e}) for e in extras):
                fresh = canonicalize_name(needed.name) not in found
                if fresh or needed.extras:
                    todo.append(needed)
        found.add(name)
    return found


def test_serving_needs_few_distributions_and_all_are_pinned():
    closure = _closure("flo2[serve]")
    third_party = {name for name in closure if not name.startswith("flo2")}
    assert third_party <= set(_pins(ROOT / "requirements" / "run.txt"))
    assert len(third_party) <= 27, sorted(third_party)


@pytest.mark.parametrize(
    "name",
    [
        ".ci/run",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "SECURITY.md",
        "changelog.d/README.md",
        "noxfile.py",
    ],
)
def test_the_repository_has(name: str):
    assert (ROOT / name).stat().st_size > 0


def test_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_readme_names_the_two_commands():
    text = (ROOT / "README.md").read_text()
    assert "```sh\npython3 noxfile.py -s serve\n```" in text
    assert "```sh\npython3 noxfile.py -s tests\n```" in text


def test_ci_runs_the_test_command():
    script = ROOT / ".ci" / "run"
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "python3 noxfile.py -s tests" in script.read_text()
    assert script.stat().st_mode & 0o111


def test_this_checkout_is_found():
    assert repository_root() == ROOT


@pytest.mark.deep
@pytest.mark.parametrize("folder", [ROOT, *PLUGINS], ids=lambda folder: folder.name)
def test_a_wheel_holds_its_own_package_only(folder: Path, tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "--target=wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    package = "flo2" if folder == ROOT else _package(folder)
    names = zipfile.ZipFile(wheel).namelist()
    distribution = f"{package}-{flo2.__version__}.dist-info"
    assert {name.split("/")[0] for name in names} == {package, distribution}
    assert f"{package}/py.typed" in names
    assert f"{distribution}/licenses/LICENSE" in names
