"""What a model takes of the memory, and what there is, in a line."""

from __future__ import annotations

from app.models import Fit
from app.sizes import size
from app.ui.i18n import t
from app.ui.markup import plain


def sentence(fit: Fit) -> str:
    """As Markdown, with what follows where there is no room."""
    need, memory = fit.need, fit.memory
    amounts = t(
        "engines.memory",
        need=size(need.total),
        weights=size(need.weights),
        context=size(need.kv_cache),
        overhead=size(need.overhead),
        free=size(memory.free),
        total=size(memory.total),
        where=plain(memory.name) if memory.device == "cuda" else t("engines.this_machine"),
    )
    if fit.fits:
        return f":material/memory: {amounts}"
    too_large = need.total > memory.total
    return f":material/warning: {amounts}  \n{t('engines.too_large' if too_large else 'engines.tight')}"
