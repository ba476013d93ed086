from __future__ import annotations

from flo2.testing.suites.store import StoreSuite
from flo2_store_sql import SqlStore


class TestSqlStore(StoreSuite):
    def make_store(self, tmp_path):
        return SqlStore(SqlStore.Config(path=str(tmp_path / "flo2.db")))
