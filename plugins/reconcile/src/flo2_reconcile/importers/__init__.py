"""Readers of providers' bills: one format a module."""
