"""``download_model.py --recommend``: the short list of models, and which of them suit this machine."""

from __future__ import annotations

from dataclasses import asdict

from app.cli.common import print_json
from app.models import free_memory
from app.models.recommended import looked_up, recommended, suits
from app.sizes import size

_KINDS = (("chat", "Chat"), ("vision", "Chat with pictures"), ("embedding", "Embedding"), ("reranker", "Reranking"))
_OPTIONS = {"embedding": " --embedding", "reranker": " --reranker"}


def recommend(*, as_json: bool) -> int:
    """Print the list; the exit code."""
    memory = free_memory()
    if as_json:
        listed = [{**asdict(model), "fits": suits(model, memory)} for model in recommended()]
        print_json({"date": str(looked_up()), "memory": asdict(memory), "models": listed})
        return 0
    print(f"Models for {memory.name}, {size(memory.total)} (sources looked up on {looked_up()}):")
    for kind, title in _KINDS:
        models = [model for model in recommended() if model.kind == kind]
        print(f"\n{title}")
        for model in (item for item in models if suits(item, memory)):
            about = [f"fetches {size(model.size)}", f"needs {size(model.memory)}", ", ".join(model.languages)]
            about += [f"{model.license}{', to accept on its page first' if model.gated else ''}"]
            print(f"  {model.name}{_OPTIONS.get(kind, '')}\n      {'; '.join(about)}\n      {model.why_en}")
        others = [model.name for model in models if not suits(model, memory)]
        if others:
            print(f"  too large for this machine, or for a GPU alone: {', '.join(others)}")
    print("\nFetch one with `python download_model.py NAME`; all of them with their sources: docs/models.md.")
    return 0
