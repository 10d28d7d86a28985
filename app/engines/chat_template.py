"""A conversation as the token ids of a prompt, by the model's own chat template."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from app.errors import ContextTooLong, ModelDamaged

if TYPE_CHECKING:
    from app.engines.local_chat import Turns


class PromptMaker:
    """Renders with a ``tokenizer`` (of transformers) for a context ``window`` in tokens. Safe from several threads."""

    def __init__(self, tokenizer: Any, name: str, window: int) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self._window = window
        self._lock = threading.Lock()  # a fast tokenizer used by two threads at once fails with "Already borrowed"

    def ids(self, turns: Turns) -> list[int]:
        """The prompt's token ids.

        Raises:
            ContextTooLong: no room is left for an answer.
            ModelDamaged: the chat template cannot be used.
        """
        with self._lock:
            text = self._text(turns)
            found: list[int] = self._tokenizer(text, add_special_tokens=not self._tokenizer.chat_template)["input_ids"]
        if len(found) >= self._window:
            raise ContextTooLong(
                f"The question and its passages take {len(found)} tokens; {self._name} has room for {self._window}.",
                "Ask a shorter question in a new conversation, or use a model with a larger context.",
            )
        return found

    def room(self, ids: list[int], wanted: int) -> int:
        """How many tokens the answer may have, at most ``wanted``."""
        return max(1, min(wanted, self._window - len(ids)))

    def _text(self, turns: Turns) -> str:
        if not self._tokenizer.chat_template:
            return _plain(turns)
        try:  # the template is the model's own program: it may raise anything
            return self._rendered(turns)
        except Exception as error:
            folded = _without_system(turns)  # such as Gemma's, which knows no system role
            if folded == turns:
                raise self._unusable(error) from error
        try:
            return self._rendered(folded)
        except Exception as error:
            raise self._unusable(error) from error

    def _rendered(self, turns: Turns) -> str:
        # A model that thinks first would use up max_tokens before the first word that the reader sees.
        text: str = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return text

    def _unusable(self, error: Exception) -> ModelDamaged:
        return ModelDamaged(
            f"The chat template of {self._name} cannot be used: {error}", "Use a model made for chat (instruct)."
        )


def _plain(turns: Turns) -> str:
    """For a base model without a template."""
    said = [f"{turn['role'].title()}: {turn['content']}" for turn in turns]
    return "\n\n".join([*said, "Assistant:"])


def _without_system(turns: Turns) -> Turns:
    if len(turns) < 2 or turns[0]["role"] != "system" or turns[1]["role"] != "user":
        return turns
    first = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
    return [first, *turns[2:]]
