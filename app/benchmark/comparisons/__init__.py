"""Engines against each other, and one engine's settings."""
