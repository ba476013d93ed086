"""The conformance kit: what every plugin must do, as tests it can inherit.

pytest imports this package at start, through `flo2.testing._pytest_plugin`, so it loads nothing
heavy: hypothesis and the suites are imported when they are asked for.
"""
