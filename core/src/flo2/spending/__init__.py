"""What is spent under budgets, as a store keeps it: exact, and in step with the ledger.

A counter is one budget in one period, and for one value where each value has the budget for itself.
A worker leases money of a counter before it spends any. In the store there is, for each counter,

    limit ≥ spent + pending + Σ leases        (of a lease below zero, nothing counts)

and every change keeps it so: a lease is granted only where it fits, and the record that ends a call
moves what the call cost from the lease of the worker that began it to `spent`, or to `pending` at
its upper bound. Pure. Imports: records, money.
"""

from flo2.spending.leases import BudgetStore, Lease, LeaseAsk, Place, Standing, granted
from flo2.spending.memory import MemoryCounters
from flo2.spending.moves import Held, Moves, Pended, counted

__all__ = [
    "BudgetStore",
    "Held",
    "Lease",
    "LeaseAsk",
    "MemoryCounters",
    "Moves",
    "Pended",
    "Place",
    "Standing",
    "counted",
    "granted",
]
