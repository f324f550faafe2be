"""Errors on test structures, what error bars are worth there, and pictures of both."""
