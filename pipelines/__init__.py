"""Graft: one recipe grafts a pretrained checkpoint onto a task."""

__version__ = "0.1.0"
