# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.5"]
# ///
"""Set up and run flo2, and check it: `python3 noxfile.py -s serve`, `python3 noxfile.py -s tests`.

Needs nothing but Python 3.11: without nox at hand it puts one into `.nox/_bootstrap` and starts
itself again there. `nox -s X`, `uv run noxfile.py -s X` and `pipx run noxfile.py -s X` do the same.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
PLUGINS = sorted(file.parent for file in (ROOT / "plugins").glob("*/pyproject.toml"))
REQUIREMENTS = ROOT / "requirements"
WINDOWS = os.name == "nt"


def _digest(*files: Path) -> str:
    """Return the sha256 over names and contents, and over the Python they are installed for."""
    total = hashlib.sha256(sys.version.encode())
    for file in files:
        total.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return total.hexdigest()


def _bootstrap() -> None:
    """Start this file again in a Python that has nox, which the standard library makes."""
    home = ROOT / ".nox" / "_bootstrap"
    python = home / ("Scripts/python.exe" if WINDOWS else "bin/python")
    stamp, wanted = home / "flo2-stamp", _digest(REQUIREMENTS / "nox.txt")
    if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
        print("flo2: first run, putting nox into .nox/_bootstrap", flush=True)
        try:
            venv.create(home, with_pip=True, clear=True)
        except subprocess.CalledProcessError as error:
            sys.exit(
                f"flo2: {sys.executable} cannot make a virtual environment with pip ({error}); "
                "install its venv module (on Debian and Ubuntu: apt install python3-venv)"
            )
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--require-hashes", "-r", str(REQUIREMENTS / "nox.txt")]
        if code := subprocess.run(pip, check=False).returncode:
            sys.exit(f"flo2: pip could not install nox (exit {code}); its message is above")
        stamp.write_text(wanted)
    command = [str(python), str(ROOT / "noxfile.py"), *sys.argv[1:]]
    if WINDOWS:
        sys.exit(subprocess.call(command))
    sys.stdout.flush()
    os.execv(command[0], command)


try:
    import nox
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    _bootstrap()

nox.needs_version = ">=2025.5"
# Not "uv|virtualenv": uv does not read pip's configuration, so the same session would resolve to
# other packages on a machine where uv happens to be on PATH.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["tests"]


# ------------------------------------------------------------------------------------------ set-up


def _install(session: nox.Session, requirements: str) -> None:
    """Install pinned third-party packages, then this repository's own as editables.

    Skipped as a whole while no requirement file and no pyproject.toml has changed.
    """
    lock = REQUIREMENTS / requirements
    stamp = Path(session.virtualenv.location) / "flo2-stamp"
    wanted = _digest(lock, ROOT / "pyproject.toml", *(each / "pyproject.toml" for each in PLUGINS))
    if stamp.exists() and stamp.read_text() == wanted:
        return
    started = time.monotonic()
    session.log(f"installing requirements/{requirements} and this repository's packages")
    stamp.unlink(missing_ok=True)
    pip = ["python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    session.run(*pip, "--require-hashes", "-r", str(lock), silent=True)
    # One command, so that no package of ours is ever asked for at an index; without build
    # isolation, as pip would fetch hatchling anew for each; without dependencies, as the line
    # above holds them all and `pip check` says if it does not.
    editables = [part for folder in (ROOT, *PLUGINS) for part in ("--editable", str(folder))]
    session.run(*pip, "--no-deps", "--no-build-isolation", *editables, silent=True)
    session.run("python", "-m", "pip", "check", "--disable-pip-version-check", silent=True)
    stamp.write_text(wanted)
    session.log(f"installed in {time.monotonic() - started:.0f} s")


@nox.session
def serve(session: nox.Session) -> None:
    """Run the gateway. Arguments after `--` go to `flo2 serve`."""
    _install(session, "run.txt")
    program = shutil.which("flo2", path=session.bin)
    if program is None:
        session.error("no command 'flo2' in .nox/serve; delete .nox/serve and run this again")
    if WINDOWS:
        session.run("flo2", "serve", *session.posargs, interrupt_timeout=30, terminate_timeout=10)
        return
    # nox as the parent of a server would answer Ctrl-C with SIGKILL after half a second, and leave
    # the server behind on SIGTERM. So the server takes this process over.
    path = os.pathsep.join([session.bin, os.environ.get("PATH", "")])
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program, ["flo2", "serve", *session.posargs], {**os.environ, "PATH": path})


# ------------------------------------------------------------------------------------------ checks


@dataclass(frozen=True)
class Check:
    """One command of the test session."""

    name: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    shown: str = ""
    """A pattern: of a failure's output, print only the lines that match it."""


STATIC = (
    Check("format", ("ruff", "format", "--check", ".")),
    Check("lint", ("ruff", "check", "--output-format", "concise", ".")),
    Check("mypy", ("mypy",)),
    Check(
        "public types",
        ("pyright", "--verifytypes", "flo2", "--ignoreexternal"),
        # Take node from the pinned wheel, whatever the machine has, and look nothing up.
        (("PYRIGHT_PYTHON_GLOBAL_NODE", "0"), ("PYRIGHT_PYTHON_IGNORE_WARNINGS", "1")),
        # The rest lists every public symbol.
        shown=r"(error|warning):|score",
    ),
    Check("layers", ("lint-imports", "--no-cache", "--no-logo")),
)


def _environment(session: nox.Session, *extra: tuple[str, str]) -> dict[str, str]:
    path = os.pathsep.join([session.bin, os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": session.virtualenv.location, **dict(extra)}


def _scratch(session: nox.Session) -> Path:
    return Path(session.create_tmp()).resolve()


def _program(session: nox.Session, name: str) -> str:
    return shutil.which(name, path=session.bin) or name


def _static(session: nox.Session, check: Check) -> tuple[Check, bool, float, str]:
    """Run one check quietly and return (check, passed, seconds, its output)."""
    started = time.monotonic()
    done = subprocess.run(
        [_program(session, check.command[0]), *check.command[1:]],
        cwd=ROOT,
        env=_environment(session, *check.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    shown = [line for line in done.stdout.splitlines() if re.search(check.shown, line)]
    return check, done.returncode == 0, time.monotonic() - started, "\n".join(shown)


def _live(
    session: nox.Session,
    *command: str,
    folder: Path = ROOT,
    quiet: bool = False,
    env: tuple[tuple[str, str], ...] = (),
) -> bool:
    """Run one command, its output shown unless `quiet` and passed; say whether it passed."""
    sys.stdout.flush()
    done = subprocess.run(
        [_program(session, command[0]), *command[1:]],
        cwd=folder,
        env=_environment(session, *env),
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
        text=True,
        check=False,
    )
    if done.returncode and quiet:
        print(f"---- {' '.join(command)}\n{done.stdout.rstrip()}\n", flush=True)
    return done.returncode == 0


class Summary:
    """What passed and what failed, with times; fails the session once, at the end."""

    def __init__(self, session: nox.Session) -> None:
        """Begin with nothing done."""
        self._session = session
        self._rows: list[tuple[str, bool, float]] = []

    def add(self, name: str, *, passed: bool, seconds: float) -> None:
        """Keep one result."""
        self._rows.append((name, passed, seconds))

    def live(self, name: str, *command: str, env: tuple[tuple[str, str], ...] = ()) -> None:
        """Run one command with its output shown, and keep its result."""
        started = time.monotonic()
        passed = _live(self._session, *command, env=env)
        self.add(name, passed=passed, seconds=time.monotonic() - started)

    def finish(self) -> None:
        """Print the table and fail if any row did."""
        for name, passed, seconds in self._rows:
            print(f"  {'ok  ' if passed else 'FAIL'} {name:<34} {seconds:6.1f} s")
        if failed := [name for name, passed, _ in self._rows if not passed]:
            self._session.error(f"failed: {', '.join(failed)}")


@nox.session
def tests(session: nox.Session) -> None:
    """Run everything that CI runs. With arguments after `--`: only pytest, with these."""
    _install(session, "dev.txt")
    if session.posargs:
        if not _live(session, "python", "-m", "pytest", *session.posargs):
            session.error("failed: pytest")
        return
    summary = Summary(session)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for check, passed, seconds, output in pool.map(lambda each: _static(session, each), STATIC):
            summary.add(check.name, passed=passed, seconds=seconds)
            if not passed:
                print(f"---- {check.name}: {' '.join(check.command)}\n{output}\n")
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    # loadfile: the tests of one file stay in order in one worker.
    workers = ("-n", "2", "--dist", "loadfile")
    run = ("python", "-m", "coverage", "run", "-m", "pytest", "-q", *workers)
    summary.live("pytest, with the code in the docs", *run)
    _live(session, "python", "-m", "coverage", "combine", "--quiet")
    summary.live("coverage", "python", "-m", "coverage", "report")
    summary.finish()


@nox.session
def deep(session: nox.Session) -> None:
    """Run the long forms: kills, Node SDKs, coding agents, each plugin alone from its wheel.

    With arguments after `--`: only the deep tests, with these for pytest.
    """
    _install(session, "dev.txt")
    summary = Summary(session)
    env = [("FLO2_DEEP", "1")]
    for name, what, variable in (
        ("node", "Node SDKs", "FLO2_NODE_SDKS"),
        ("agents", "coding agents", "FLO2_AGENTS"),
    ):
        started = time.monotonic()
        target = _scratch(session) / name
        passed = _npm_packages(session, ROOT / "tests" / name, target)
        summary.add(f"npm ci: {what}", passed=passed, seconds=time.monotonic() - started)
        env.append((variable, str(target)))
    # -raP: what a test prints is shown too, such as the number of kills.
    shown = ("-raP", "--durations=5")
    run = ("python", "-m", "pytest", "-m", "deep", *shown, *session.posargs)
    summary.live("pytest -m deep", *run, env=tuple(env))
    if not session.posargs:
        wheels = _build(session, _scratch(session) / "wheels", "wheel")
        for plugin in PLUGINS:
            started = time.monotonic()
            passed = _alone(session, plugin, wheels)
            summary.add(f"alone: {plugin.name}", passed=passed, seconds=time.monotonic() - started)
    summary.finish()


def _alone(session: nox.Session, plugin: Path, wheels: Path) -> bool:
    """Install one plugin's wheel and core's into a fresh environment, and run its tests there."""
    session.log(f"{plugin.name} alone, from its wheel")
    home = _scratch(session) / "alone" / plugin.name
    venv.create(home, with_pip=True, clear=True, symlinks=not WINDOWS)
    scripts = home / ("Scripts" if WINDOWS else "bin")
    # The same versions as everywhere; without hashes, since our own wheels have none.
    pins = home / "constraints.txt"
    locked = (REQUIREMENTS / "dev.txt").read_text()
    pins.write_text(
        "".join(f"{pin}\n" for pin in re.findall(r"^[\w.-]+==[^\\\n]+", locked, re.MULTILINE))
    )
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    extras = ",".join(project.get("optional-dependencies", {}))
    asked = f"[{extras}]" if extras else ""
    own = [str(_wheel(wheels, "flo2")), f"{_wheel(wheels, project['name'])}{asked}"]
    pip = [str(scripts / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--constraint", str(pins), *own]
    kit = ["hypothesis", "pytest", "trustme"]
    if not _live(session, *pip, *kit, quiet=True):
        return False
    # A copy without the source, with neither the checkout on sys.path nor this session's commands
    # on PATH: what is imported and what is started is what the wheels hold. Processes that a test
    # spawns find it again, as `-m` puts the working directory on sys.path. pytest fails where it
    # finds no tests.
    left_out = shutil.ignore_patterns("src", "dist", "__pycache__")
    shutil.copytree(plugin, home / "run", ignore=left_out)
    command = [str(scripts / "python"), "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml")]
    path = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    env = (("PATH", path), ("VIRTUAL_ENV", str(home)), ("PYTHONPATH", ""))
    return _live(session, *command, "--rootdir=.", "tests", folder=home / "run", env=env)


def _wheel(folder: Path, distribution: str) -> Path:
    return next(folder.glob(f"{distribution.replace('-', '_')}-*.whl"))


def _npm_packages(session: nox.Session, source: Path, target: Path) -> bool:
    """Install pinned npm packages into `target`, so that the checkout stays as it is."""
    npm = shutil.which("npm")
    if npm is None:
        session.warn(f"npm is not on PATH; install Node.js 20 or newer to run tests/{source.name}")
        return False
    target.mkdir(exist_ok=True)
    for name in (".npmrc", "package.json", "package-lock.json"):
        shutil.copyfile(source / name, target / name)
    options = ("--no-audit", "--no-fund", "--ignore-scripts")
    if not _live(session, npm, "ci", *options, folder=target, quiet=True):
        return False
    # The one script that is wanted: it puts the program of this machine's kind into its place.
    script = target / "node_modules" / "@anthropic-ai" / "claude-code" / "install.cjs"
    return not script.is_file() or _live(session, "node", str(script), folder=target, quiet=True)


# ---------------------------------------------------------------------------------- build and lock


def _build(session: nox.Session, target: Path, *kinds: str) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    flags = [f"--target={kind}" for kind in kinds]
    for folder in (ROOT, *PLUGINS):
        command = ("python", "-m", "hatchling", "build", *flags, "-d", str(target))
        if not _live(session, *command, folder=folder, quiet=True):
            session.error(f"failed: build of {folder.name}")
    return target


@nox.session
def build(session: nox.Session) -> None:
    """Build wheels and source distributions of everything into dist/."""
    _install(session, "run.txt")
    target = _build(session, ROOT / "dist", "sdist", "wheel")
    for file in sorted(target.iterdir()):
        print(f"  {file.name}  {file.stat().st_size / 1024:.0f} KB")


@nox.session
def lock(session: nox.Session) -> None:
    """Pin the newest versions again: requirements/*.in -> requirements/*.txt."""
    session.install("uv", silent=True)
    # run before dev: dev is constrained to the versions of run.
    for name in ("nox", "run", "dev"):
        session.run(
            *("uv", "pip", "compile", "--quiet", "--upgrade", "--universal"),
            *("--python-version", "3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-emit-find-links", "--annotation-style", "line"),
            *("--custom-compile-command", "python3 noxfile.py -s lock"),
            *(f"requirements/{name}.in", "--output-file", f"requirements/{name}.txt"),
        )
        text = (REQUIREMENTS / f"{name}.txt").read_text()
        if "://" in text or re.search(r"^\S+ @ ", text, re.MULTILINE):
            session.error(f"requirements/{name}.txt names a host or a path; it must not")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure flo2's own work per call; then, where it is there, run the shared comparison.

    The comparison of several gateways lies outside this repository, in FLO2_SHARED or ../shared;
    arguments after `--` go to it.
    """
    _install(session, "run.txt")
    for each in ("own_work", "translation", "prices"):
        if not _live(session, "python", f"benchmarks/{each}.py"):
            session.error(f"benchmarks/{each}.py failed; its message is above")
    shared = Path(os.environ.get("FLO2_SHARED") or ROOT.parent / "shared")
    script = shared / "bench" / "bench.py"
    if not script.is_file():
        if session.posargs:
            session.error(f"no comparison at {script}; set FLO2_SHARED to the folder of bench/")
        return
    folder = _scratch(session) / "side-by-side"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    extra = folder / "flo2.json"
    with extra.open("wb") as file:
        prepare = [_program(session, "python"), "benchmarks/side_by_side.py", str(folder)]
        done = subprocess.run(
            prepare, cwd=ROOT, env=_environment(session), stdout=file, check=False
        )
    if done.returncode:
        session.error("benchmarks/side_by_side.py failed; its message is above")
    out = str(folder / "results.json")
    few = () if session.posargs else ("--only", "direct,flo2", "--rounds", "1")
    arguments = ("--extra", str(extra), "--out", out, *few, *session.posargs)
    if not _live(session, "python", str(script), *arguments):
        session.error("the comparison failed; its message is above")


if __name__ == "__main__":
    os.chdir(ROOT)
    nox.main()
