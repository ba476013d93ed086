"""Provider credentials at rest: sealed under a data key per account, under a key-encryption key.

Imports: secrets, stored, errors. The only importer of `cryptography` in core.
"""

from flo2.vault.keks import KekRing, append_kek, generate_kek_file
from flo2.vault.vault import Vault

__all__ = ["KekRing", "Vault", "append_kek", "generate_kek_file"]
