# ruff: noqa: S608  # its own SQL, of its own numbers
"""Time `flo2 usage` over many ledger entries, in SQLite.

    python benchmarks/usage_at_scale.py                        # a million entries, for a while
    python benchmarks/usage_at_scale.py --entries 10000000     # takes 15 GB of disk for a while
    python benchmarks/usage_at_scale.py --database big.db      # asks a database that was filled

The entries are invented: 90 days of 20 models, 40 keys of 8 teams, 30 features, 2,000 customers
with some 50,000 end users; a customer calls with four of the keys. Entries and sums are made in
SQL, each by itself, and what the store reads of one day from the one must be what it reads from the
other: both are compared at the end. The chained records, which usage does not read, are left out,
and so are the cost lines.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from attrs import evolve

from flo2.stores import EntryFilter
from flo2_store_sql import SqlStore
from flo2_store_sql.cubes import CUBES, HOUR, MONTH, Cube, grain
from flo2_store_sql.usage_tables import METER_COLUMNS

DAY_US = 86_400_000_000
BEGIN_US = 1_788_220_800_000_000  # 2026-09-01
DAYS = 90
END_US = BEGIN_US + DAYS * DAY_US
WEEK = EntryFilter("default", since_us=END_US - 7 * DAY_US - 12_345_678_901)
QUESTIONS = (
    ("all time, in total", EntryFilter("default"), ()),
    ("all time, by model", EntryFilter("default"), ("model",)),
    ("all time, by team,feature", EntryFilter("default"), ("team", "feature")),
    ("all time, by key,model", EntryFilter("default"), ("key", "model")),
    ("all time, of one key, by model", EntryFilter("default", key_id="key_7"), ("model",)),
    ("all time, by customer", EntryFilter("default"), ("customer",)),
    ("all time, by customer,model", EntryFilter("default"), ("customer", "model")),
    ("all time, by end_user", EntryFilter("default"), ("end_user",)),
    ("7 days to the microsecond, by model", WEEK, ("model",)),
    ("7 days to the microsecond, by customer", WEEK, ("customer",)),
    ("7 days to the microsecond, by end_user", WEEK, ("end_user",)),
)
LAST_DAY = EntryFilter("default", since_us=END_US - DAY_US)
SCANS = (
    ("1 day, by tag:env, from the entries", LAST_DAY, ("tag:env",)),
    ("1 day, by end_user,model, from entries", LAST_DAY, ("end_user", "model")),
)


# One row an entry, in numbers: made from its place by multiplication, so the same each time.
MAKE = """
CREATE TEMP TABLE made AS
WITH RECURSIVE places(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM places WHERE i + 1 < :number),
drawn AS (
    SELECT i,
        :begin + i * :step AS started,
        (i * 2654435761 >> 7) % 4 AS door,
        (i * 40503 >> 3) % 3 AS turn,
        (i * 2246822519 >> 5) % 3 AS choice,
        (i * 3266489917 >> 9) % 447 AS one,
        (i * 668265263 >> 11) % 447 AS two,
        (i * 374761393 >> 8) % 200 AS fate,
        20 + (i * 1274126177 >> 6) % 7980 AS tokens,
        1 + (i * 2147483647 >> 4) % 899 AS written
    FROM places
)
SELECT i, started, started / 3600000000 AS hour, key, (key * 3 + turn) % 30 AS feature,
    (key + choice) % 20 AS model, user,
    CASE WHEN fate < 2 THEN 'pending' WHEN fate < 3 THEN 'void' ELSE 'settled' END AS status,
    tokens, written, tokens * 2800 + written * 14100 AS nano
FROM (SELECT *, one * two AS user, (one * two % 2000 * 7 + door) % 40 AS key FROM drawn)
"""
ENTRIES = """
INSERT INTO ledger_entries (
    entry_id, exchange_id, attempt, role, account, key_id, credential_id, provider, provider_kind,
    api, model_requested, model, team, feature, customer, end_user, tags, low, high, why, losses,
    started_us, writer, status, outcome, model_billed, ended_us, http_status, total, list_total,
    pending_low, pending_high, currency, book, meters, lines, context
)
SELECT printf('%016x.1', started), printf('%016x', started), 1, 'primary', 'default',
    'key_' || key, 'cred_1', 'acme', 'openai-compatible', 'chat', 'model-' || model,
    'model-' || model, 'team-' || (key % 8), 'feature-' || feature, 'customer-' || (user % 2000),
    'user-' || user || '@example.org', iif(key % 5, '{"env":"prod"}', '{"env":"test"}'), '0.0001',
    '0.02', 'the only target', '[]', started, 'w1', status, 'answered', NULL, started + 900000, 200,
    CASE status WHEN 'settled' THEN printf('0.%09d', nano) WHEN 'void' THEN '0' END,
    CASE status WHEN 'settled' THEN printf('0.%09d', nano) WHEN 'void' THEN '0' END,
    iif(status = 'pending', '0', NULL), iif(status = 'pending', printf('0.%09d', nano), NULL),
    'USD', 'sha256:0123456789abcdef', iif(status = 'settled',
        '{"input_tokens":' || tokens || ',"output_tokens":' || written || '}', NULL), '[]', '{}'
FROM made
"""
MAIN = (
    "'acme', 'model-' || model, 'key_' || key, 'team-' || (key % 8), 'feature-' || feature, "
    "NULL, NULL, NULL, 'primary'"
)
NOTHING = ", ".join(9 * ["NULL"])
GROUPS = {
    4: (f"'acme', {', '.join(8 * ['NULL'])}, 'customer-' || customer", "NULL", "customer, status"),
    1: (MAIN, "NULL, NULL", "key, feature, model, status"),
    2: (f"{MAIN}, 'customer-' || customer", "NULL", "key, feature, model, customer, status"),
    3: (
        f"{NOTHING}, 'customer-' || customer, 'user-' || user || '@example.org'",
        "",
        "customer, user, status",
    ),
}


def fill(path: Path, number: int) -> float:
    """Write that many entries and their sums, in SQL; gives the seconds that it took."""
    begin = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("cache_size=-3000000", "synchronous=OFF", "temp_store=FILE"):
            database.execute(f"PRAGMA {pragma}")
        step = DAYS * DAY_US // number
        database.execute("BEGIN")
        database.execute(MAKE, {"number": number, "begin": BEGIN_US, "step": step})
        print(f"made after {time.perf_counter() - begin:.0f} s", flush=True)
        database.execute(ENTRIES)
        print(f"entries after {time.perf_counter() - begin:.0f} s", flush=True)
        for cube in CUBES:
            add_sums(database, cube)
        database.execute("COMMIT")
    return time.perf_counter() - begin


def add_sums(database: sqlite3.Connection, cube: Cube) -> None:
    """Add a cube's sums: those of the shortest buckets from the entries, the longer from them."""
    kept, rest, names = GROUPS[cube.number]
    told_only = kept.replace(f"{NOTHING}, ", "").replace(f"{', '.join(8 * ['NULL'])}, ", "")
    columns = "provider, model, key_id, team, feature, route, experiment, arm, role"
    database.execute(
        f"""CREATE TEMP TABLE found AS SELECT row_number() OVER () + {cube.number * 10**8} AS id, *
        FROM (SELECT DISTINCT {names} FROM (SELECT *, user % 2000 AS customer FROM made))"""
    )
    database.execute(f"CREATE UNIQUE INDEX temp.by_names ON found ({names})")
    database.execute(
        f"""INSERT INTO usage_groups (id, identity, cube, account, status, currency, {columns},
        customer, end_user)
        SELECT id, json_array({cube.number}, 'default', status, 'USD', {told_only}),
        {cube.number}, 'default', status, 'USD', {kept}{", " + rest if rest else ""} FROM found"""
    )
    shortest, *longer = cube.levels
    each = 1 if shortest == HOUR else 24
    settled = "status = 'settled'"
    both = f"""SELECT {grain(cube, shortest)}, 'default', hour / {each} * {each} AS bucket, id"""
    source = f"""FROM (SELECT *, user % 2000 AS customer FROM made) JOIN found USING ({names})
        GROUP BY bucket, id"""
    database.execute(
        f"""INSERT INTO usage_rollups {both}, count(*), 0, sum(nano * ({settled})), 0,
        sum(tokens * ({settled})), 0, 0, 0, 0, sum(written * ({settled})) {source}"""
    )
    database.execute(
        f"""INSERT INTO usage_sums {both}, 'high', 0, sum(nano), 0
        {source.replace("GROUP", "WHERE status = 'pending' GROUP")}"""
    )
    for level in longer:
        fine = grain(cube, cube.levels[cube.levels.index(level) - 1])
        hours = "strftime('%s', bucket * 3600, 'unixepoch', 'start of month') / 3600"
        bucket = hours if level == MONTH else "bucket / 24 * 24"
        told = f"SELECT {grain(cube, level)}, 'default', {bucket} AS whole_bucket, group_id"
        limbs = "sum(whole), sum(nano), sum(atto)"
        sums = ", ".join(f"sum({name})" for name in METER_COLUMNS)
        database.execute(
            f"""INSERT INTO usage_rollups {told}, sum(entries), {limbs}, {sums}
            FROM usage_rollups WHERE grain = {fine} GROUP BY whole_bucket, group_id"""
        )
        database.execute(
            f"""INSERT INTO usage_sums {told}, name, {limbs}
            FROM usage_sums WHERE grain = {fine} GROUP BY whole_bucket, group_id, name"""
        )
    database.execute("DROP TABLE found")
    print(f"cube {cube.number}", flush=True)


def compare(store: SqlStore) -> None:
    """Read one day from the sums and from the entries; they must be the same."""
    day = EntryFilter("default", since_us=BEGIN_US + DAY_US, until_us=BEGIN_US + 2 * DAY_US)
    every = evolve(day, limit=10**9)  # what has a limit is read from the entries
    for by in ((), ("model", "team"), ("customer",), ("customer", "model"), ("end_user",)):
        if store.usage(day, by) != store.usage(every, by):
            raise SystemExit(f"by {by}, the sums are not what the entries come to")
    print("one day by sums is the same as by entries")


def ask(store: SqlStore, *, scans: bool) -> None:
    """Print how long each question takes, the first time and the best of three."""
    for name, where, by in (*QUESTIONS, *(SCANS if scans else ())):
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            rows = store.usage(where, by)
            times.append(time.perf_counter() - begin)
        entries = sum(row.entries for row in rows)
        print(
            f"{name:40s}{times[0]:8.2f} s first{min(times):8.2f} s best"
            f"{len(rows):>9,} rows{entries:>13,} entries"
        )


def main() -> None:
    """Fill and ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--database", type=Path, help="keep it here; filled already: only ask")
    parser.add_argument("--scans", action="store_true", help="ask what only the entries tell too")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.database or Path(folder) / "usage.db"
        filled = path.exists()
        store = SqlStore(SqlStore.Config(path=str(path)))
        store.open()
        if not filled:
            took = fill(path, chosen.entries)
            size = path.stat().st_size / 1e9
            each = took / chosen.entries * 1e6
            print(f"filled in {took:.0f} s, {each:.0f} µs an entry, {size:.1f} GB")
            with closing(sqlite3.connect(path)) as database:
                for table in ("usage_groups", "usage_rollups", "usage_sums"):
                    (count,) = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
                    print(f"{table:14s}{count:>12,} rows")
        ask(store, scans=chosen.scans)
        compare(store)
        store.close()


if __name__ == "__main__":
    main()
