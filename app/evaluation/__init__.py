"""Evaluation: how well search does on the user's own questions."""
