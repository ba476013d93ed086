"""Ordered fallback, weighted, cheapest and fastest routing."""
