"""Graft's version, which the build of a wheel reads here."""

__version__ = "0.1.0"
