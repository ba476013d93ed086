"""What an account has agreed with its providers, and what follows for each call and each month.

Pure. Imports: records, prices, canonical, money, errors.
"""

from __future__ import annotations

from flo2.contracts.account import AccountContracts
from flo2.contracts.fields import as_json
from flo2.contracts.read import contract_id, read_contract
from flo2.contracts.terms import Contract

__all__ = ["AccountContracts", "Contract", "as_json", "contract_id", "read_contract"]
