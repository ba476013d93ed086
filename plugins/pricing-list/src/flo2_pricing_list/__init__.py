"""Dated, sourced price rows for the providers flo2 knows."""
