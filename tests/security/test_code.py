"""What the source must not hold, checked on its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "src" / "flo2"
SOURCES = sorted(
    path
    for folder in (CORE, *ROOT.glob("plugins/*/src"))
    for path in folder.rglob("*.py")
    if "testing" not in path.relative_to(folder).parts
)
NAMES = {path: path.relative_to(ROOT).as_posix() for path in SOURCES}

FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.popen",
    "os.system",
    "os.execv",
    "os.execve",
    "os.execvp",
    "os.fork",
    "os.spawnv",
    "tempfile.mktemp",
    "hashlib.md5",
    "hashlib.sha1",
    "ssl._create_unverified_context",
    "yaml.load",
}
FORBIDDEN_MODULES = {
    "cPickle",
    "cloudpickle",
    "code",
    "dill",
    "jsonpickle",
    "marshal",
    "pickle",
    "pty",
    "runpy",
    "shelve",
    "subprocess",
    "telnetlib",
    "xml",
    "yaml",
}
# The server's own workers, started by the operator, never by a request.
MAY_SPAWN = {"core/src/flo2/shell/supervisor.py", "core/src/flo2/shell/worker.py"}
# The generator that strategies are lent, seeded from `secrets`; it makes no secret.
MAY_DRAW = {"core/src/flo2/gateway/starting.py", "core/src/flo2/executor/executor.py"}
# Where a secret becomes text: to seal it, to send it, to hash it, to show it once.
MAY_REVEAL = {
    "core/src/flo2/budgets/webhook.py",
    "core/src/flo2/cli/key_input.py",
    "core/src/flo2/cli/keys.py",
    "core/src/flo2/cli/providers.py",
    "core/src/flo2/cli/talk.py",
    "core/src/flo2/cli/welcome.py",
    "core/src/flo2/http_provider.py",
    "core/src/flo2/keys/issuing.py",
    "core/src/flo2/openai_compatible.py",
    "core/src/flo2/secrets/scrub.py",
    "core/src/flo2/shell/issued_keys.py",
    "core/src/flo2/vault/keks.py",
    "core/src/flo2/vault/vault.py",
    "plugins/provider-anthropic/src/flo2_provider_anthropic/provider.py",
    "plugins/provider-bedrock/src/flo2_provider_bedrock/provider.py",
    "plugins/provider-vertex/src/flo2_provider_vertex/provider.py",
    "plugins/provider-azure/src/flo2_provider_azure/provider.py",
    "plugins/provider-cohere/src/flo2_provider_cohere/provider.py",
    "plugins/provider-google/src/flo2_provider_google/provider.py",
    "plugins/reconcile/src/flo2_reconcile/fetching.py",
    "plugins/store-sql/src/flo2_store_sql/database.py",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def modules(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_there_is_something_to_look_at() -> None:
    assert len(SOURCES) > 150
    assert set(NAMES.values()) >= MAY_SPAWN | MAY_REVEAL


@pytest.mark.parametrize("path", SOURCES, ids=NAMES.get)
def test_nothing_runs_or_unpickles_what_it_is_given(path: Path) -> None:
    found = {name for name, _ in calls(path)} & FORBIDDEN_CALLS
    found |= {name for name in modules(path) if name.partition(".")[0] in FORBIDDEN_MODULES}
    if NAMES[path] not in MAY_SPAWN:
        found |= {name for name in modules(path) if name.partition(".")[0] == "multiprocessing"}
    assert found == set()


@pytest.mark.parametrize("path", SOURCES, ids=NAMES.get)
def test_no_secret_comes_from_a_predictable_source(path: Path) -> None:
    drawn = {name for name in modules(path) if name.partition(".")[0] == "random"}
    allowed = {"random", "random.Random"}  # as a type, and where it is seeded
    called = {name for name, _ in calls(path) if name in {"Random", "random.Random"}}
    assert drawn <= allowed
    assert not called or NAMES[path] in MAY_DRAW


@pytest.mark.parametrize("path", SOURCES, ids=NAMES.get)
def test_a_secret_becomes_text_in_few_places_and_never_inside_a_message(path: Path) -> None:
    revealing = [node for name, node in calls(path) if name.endswith(".reveal")]
    if NAMES[path] not in MAY_REVEAL:
        vault = [node for node in revealing if not node.args]  # Vault.reveal gives a Secret
        assert vault == []
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Raise):
            assert ".reveal()" not in ast.unparse(node)
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in {
            "debug", "info", "warning", "error", "exception", "warn",
        }:  # fmt: skip
            assert ".reveal()" not in ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=NAMES.get)
def test_tls_is_always_verified(path: Path) -> None:
    source = tree(path)
    names = {node.attr for node in ast.walk(source) if isinstance(node, ast.Attribute)}
    assert not names & {"CERT_NONE", "CERT_OPTIONAL", "check_hostname"}
    for _, call in calls(path):
        for keyword in call.keywords:
            unverified = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            assert not (keyword.arg in {"verify", "ssl", "verify_ssl"} and unverified)


# ------------------------------------------------------------------------------------------ SQL

STORE = sorted((ROOT / "plugins" / "store-sql" / "src").rglob("*.py"))
# Each text that goes to a database outside of SQLAlchemy's expressions and is no plain constant,
# and why it is safe.
SQL_TEXTS = {
    # Chosen between two constants.
    "exec_driver_sql('BEGIN IMMEDIATE' if writes else 'BEGIN')",
    # Compiled by SQLAlchemy from an expression; values are bound.
    "exec_driver_sql(self._sql, values)",
    # A constant, and one number that went through int().
    "execute(f'PRAGMA {pragma}')",
}
TAKES_SQL = {"text", "literal_column", "exec_driver_sql", "executescript", "executemany", "DDL"}


def sql_texts(path: Path) -> Iterator[str]:
    money = "from flo2.money import text" in ast.unparse(tree(path))  # writes amounts, no SQL
    for name, call in calls(path):
        last = name.rpartition(".")[2]
        given = call.args[0] if call.args else None
        written = isinstance(given, ast.JoinedStr | ast.BinOp | ast.IfExp)
        if isinstance(given, ast.Constant) or (money and name == "text"):
            continue
        if last in TAKES_SQL or (last == "execute" and written):
            yield f"{last}({', '.join(ast.unparse(arg) for arg in call.args)})"


@pytest.mark.parametrize("path", STORE, ids=lambda path: path.name)
def test_no_sql_is_built_out_of_text(path: Path) -> None:
    assert set(sql_texts(path)) <= SQL_TEXTS


def test_the_list_of_sql_texts_is_not_longer_than_needed() -> None:
    assert {text for path in STORE for text in sql_texts(path)} == SQL_TEXTS
