"""The documents that questions are about: their names, and their texts when asked for."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from app.errors import EvaluationError

if TYPE_CHECKING:
    from app.knowledge.library import Knowledge

_KEPT = 200  # texts in memory


class Documents:
    """The documents of one collection as they are now."""

    def __init__(self, knowledge: Knowledge, collection: str | None) -> None:
        self._knowledge = knowledge
        self.known = {info.doc: (info.id, info.sha256) for info in knowledge.documents(collection)}
        self._texts: OrderedDict[str, str] = OrderedDict()

    def text(self, doc: str) -> str:
        """The text of a document of this name.

        Raises:
            EvaluationError: it was removed or replaced meanwhile.
        """
        if doc not in self._texts:
            content = self._knowledge.content(*self.known[doc])
            if content is None:
                raise EvaluationError(f"{doc} was removed or replaced meanwhile.", "Run the evaluation again.")
            self._texts[doc] = content.text
            if len(self._texts) > _KEPT:
                self._texts.popitem(last=False)
        self._texts.move_to_end(doc)
        return self._texts[doc]
