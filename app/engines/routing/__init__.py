"""Several OpenAI-compatible servers behind one chat model: who is asked, and who goes on where one stopped."""
