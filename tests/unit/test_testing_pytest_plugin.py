"""What flo2 adds to pytest, seen by a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNTING = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_replays(number, count_replay):
    count_replay("recordings")
    count_replay("golden traces", number)
"""
PROFILE = """
import sys

def test_profile():
    from hypothesis import settings
    profile = settings()
    print("examples", profile.max_examples, profile.derandomize, profile.deadline, profile.database)
"""
LAZY = """
import sys

def test_hypothesis_stays_out():
    assert "hypothesis" not in sys.modules
"""


def _pytest(folder: Path, code: str, *arguments: str, ini: str = "", deep: str = "0") -> str:
    """Run pytest in a fresh process on one file, and return what it printed."""
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    (folder / "test_it.py").write_text(code)
    environment = {**os.environ, "FLO2_DEEP": deep, "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_replays_are_summed_at_the_end(tmp_path: Path, workers: tuple[str, ...]):
    output = _pytest(tmp_path, COUNTING, *workers)
    assert "recordings: 2 replayed, golden traces: 3\n" in output
    assert "2 passed" in output


def test_nothing_is_printed_without_a_count(tmp_path: Path):
    assert "replayed" not in _pytest(tmp_path, "def test_nothing(): pass\n")


@pytest.mark.parametrize(
    ("deep", "expected"),
    [("0", "examples 40 True None None"), ("1", "examples 2000 False None None")],
)
def test_profile_is_loaded_by_the_option(tmp_path: Path, deep: str, expected: str):
    ini = "flo2_hypothesis_profile = ci"
    assert expected in _pytest(tmp_path, PROFILE, "-s", ini=ini, deep=deep)


def test_profile_on_the_command_line_wins(tmp_path: Path):
    arguments = ("-s", "--hypothesis-profile=deep")
    output = _pytest(tmp_path, PROFILE, *arguments, ini="flo2_hypothesis_profile = ci")
    assert "examples 2000 False None None" in output


def test_unknown_profile_names_the_known_ones(tmp_path: Path):
    output = _pytest(tmp_path, PROFILE, ini="flo2_hypothesis_profile = fast")
    assert "flo2_hypothesis_profile is 'fast'; known: ci, deep" in output


def test_hypothesis_is_not_imported_unasked(tmp_path: Path):
    assert "1 passed" in _pytest(tmp_path, LAZY)
