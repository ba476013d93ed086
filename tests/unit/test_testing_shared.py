"""Where the shared data is looked for, and what happens when it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from flo2.testing.shared import repository_root, shared_dir


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with nothing beside it, as the working directory."""
    root = tmp_path / "place" / "checkout"
    (root / "deep" / "inside").mkdir(parents=True)
    (root / "noxfile.py").touch()
    monkeypatch.chdir(root / "deep" / "inside")
    monkeypatch.delenv("FLO2_SHARED", raising=False)
    monkeypatch.delenv("FLO2_REQUIRE_SHARED", raising=False)
    return root


def test_checkout_is_the_folder_that_holds_the_noxfile(checkout: Path):
    assert repository_root() == checkout


def test_absent_without_a_demand_is_none(checkout: Path):
    assert shared_dir() is None


def test_folder_beside_the_checkout_is_found(checkout: Path):
    (checkout.parent / "shared").mkdir()
    assert shared_dir() == checkout.parent / "shared"


def test_named_folder_wins(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (checkout.parent / "shared").mkdir()
    monkeypatch.setenv("FLO2_SHARED", str(tmp_path))
    assert shared_dir() == tmp_path


def test_named_folder_that_is_absent_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLO2_SHARED", "no/such/folder")
    with pytest.raises(FileNotFoundError, match="FLO2_SHARED='no/such/folder' is no folder"):
        shared_dir()


def test_absent_on_demand_is_an_error(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FLO2_REQUIRE_SHARED", "1")
    with pytest.raises(FileNotFoundError) as caught:
        shared_dir()
    assert str(caught.value) == (
        f"no shared data at {str(checkout.parent / 'shared')!r} but FLO2_REQUIRE_SHARED='1'; "
        "set FLO2_SHARED to its folder, or unset FLO2_REQUIRE_SHARED to use golden traces alone"
    )
