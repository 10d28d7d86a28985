"""Hotswap: chat with your own documents on any local model, and change the model while it runs."""

__version__ = "0.1.0"
