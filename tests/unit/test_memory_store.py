from __future__ import annotations

from flo2.memory_store import MemoryStore
from flo2.testing.suites.store import StoreSuite


class TestMemoryStore(StoreSuite):
    def make_store(self, tmp_path):
        return MemoryStore()
