"""The conversation: what is asked, what the engine is told, what its answer is worth, what is kept of it."""
