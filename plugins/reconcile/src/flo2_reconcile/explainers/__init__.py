"""What a bill and the ledger may differ by: one cause a class, asked in their order."""
