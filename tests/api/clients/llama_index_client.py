"""LlamaIndex's OpenAILike: what comes of it, as one JSON object."""

from __future__ import annotations

import json
import sys

from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

ORDER = json.loads(sys.argv[1])
english = ORDER["english"]
llm = OpenAILike(
    model="hotswap", api_base=f"{ORDER['url']}/v1", api_key=ORDER["key"], is_chat_model=True, context_window=4096,
    max_retries=0,
)  # fmt: skip
messages = [
    ChatMessage(role="system", content="Be short."),
    ChatMessage(role="user", content=english),
    ChatMessage(role="assistant", content="Ingrid Halvorsen built it in 1871. [1]"),
    ChatMessage(role="user", content="How far is its lamp seen?"),
]
streamed = list(llm.stream_chat(messages))
told = {
    "complete": llm.complete(english).text,
    "chat": llm.chat(messages).message.content,
    "stream_chat": streamed[-1].message.content,
    "deltas": "".join(response.delta or "" for response in streamed),
}
print(json.dumps(told))
