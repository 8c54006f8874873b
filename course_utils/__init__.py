"""The course's companion package."""

__version__ = "0.1.0"
