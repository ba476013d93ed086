"""Conformance suites: classes whose tests a plugin inherits; import the one you need."""
