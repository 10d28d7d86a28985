"""LangChain's ChatOpenAI and OpenAIEmbeddings: what comes of them, as one JSON object."""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

ORDER = json.loads(sys.argv[1])
how: dict[str, Any] = {"base_url": f"{ORDER['url']}/v1", "api_key": ORDER["key"], "max_retries": 0}
english, chinese, collection = ORDER["english"], ORDER["chinese"], ORDER["collection"]

llm = ChatOpenAI(model="hotswap", temperature=0.2, stream_usage=True, **how)
follow_up = [
    SystemMessage("Be short."), HumanMessage(english), AIMessage("Ingrid Halvorsen built it in 1871. [1]"),
    HumanMessage("How far is its lamp seen?"),
]  # fmt: skip
whole = llm.invoke(english)
chunks = list(llm.stream(english))
last = chunks[0]
for chunk in chunks[1:]:
    last = last + chunk
embeddings = OpenAIEmbeddings(model="hotswap", check_embedding_ctx_length=False, **how)
told = {
    "whole": whole.text,
    "usage": whole.usage_metadata,
    "reason": whole.response_metadata["finish_reason"],
    "stream": last.text,
    "stream_usage": last.usage_metadata,
    "batch": [message.text for message in llm.batch([english, chinese])],
    "follow_up": llm.invoke(follow_up).text,
    "collection": ChatOpenAI(model=f"hotswap/{collection}", **how).invoke(chinese).text,
    "vectors": embeddings.embed_documents([english, chinese]),
    "query": embeddings.embed_query(english),
}
print(json.dumps(told))
