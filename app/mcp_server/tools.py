"""The tools: what each takes, what it gives, and how it comes by it. A docstring of arguments tells when to use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import cleandoc
from typing import Annotated, Any

from mcp_types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import UsageError
from app.mcp_server import words
from app.mcp_server.call import Call
from app.mcp_server.uris import uri_of

LISTED_AT_ONCE = 500
"""Documents; a longer list fills an assistant's memory, and it can ask for the rest."""

Question = Annotated[str, Field(description="The question, in the language of the documents where possible.")]
Collection = Annotated[
    str | None, Field(description="Which collection of documents; leave it out for the default one.")
]


class Arguments(BaseModel):
    """What a client gives; a name that no tool has is refused."""

    model_config = ConfigDict(extra="forbid")


class Search(Arguments):
    """Find the passages of the user's own documents that are nearest to a question.

    Use this to answer from the documents yourself, to compare what several of them say, or to check a fact: it is
    fast and no language model is asked. `relevant` is false when nothing in the collection is about the question:
    then say so, and do not answer from the passages. For a finished answer use `ask`; for the text around a passage
    use `read_document` with its `doc` and a `start` a little before its own.
    """

    question: Question
    k: Annotated[int, Field(ge=1, le=50, description="How many passages at most.")] = 6
    collection: Collection = None


class Ask(Arguments):
    """Have a question answered from the user's own documents, with citations, by the language model of Hotswap.

    Use this where a short, cited answer is wanted as it is. It may take a minute. `refused` is true when the
    documents do not hold the answer, `complete` is false when it broke off. It knows nothing of the conversation, so
    ask a question that stands alone. To read and judge the passages yourself, use `search`.
    """

    question: Question
    collection: Collection = None
    engine: Annotated[
        str | None, Field(description="Which engine answers; leave it out for the one that the user has chosen.")
    ] = None


class ListDocuments(Arguments):
    """List the documents of a collection, and the names of all collections.

    Use this to see what there is, and to get the exact name of a document for `read_document`. To find out where
    something is said, use `search`. A long list comes in parts: `next` is the `start` of the next one.
    """

    collection: Collection = None
    start: Annotated[int, Field(ge=0, description="How many documents to leave out from the beginning.")] = 0


class ReadDocument(Arguments):
    """Read the text of one document, or a part of it.

    Use this to read on around a passage that `search` found, or a whole document from its beginning. `doc` is a name
    as `search` and `list_documents` give it; it is no path of a file. `next` is the `start` of what follows, or null
    at the end.
    """

    doc: Annotated[str, Field(description="The document's name, such as papers/lighthouse.pdf.")]
    collection: Collection = None
    start: Annotated[int, Field(ge=0, description="The character to begin with.")] = 0
    length: Annotated[int, Field(ge=1, le=100_000, description="How many characters at most.")] = 8000


class Passage(BaseModel):
    doc: str
    start: int
    end: int
    page: int | None
    heading: str
    text: str
    score: float


class Found(BaseModel):
    relevant: bool
    relevance: float
    passages: list[Passage]


class Citation(BaseModel):
    n: int
    doc: str
    page: int | None
    start: int
    end: int
    text: str
    supported: bool | None


class Answered(BaseModel):
    answer: str
    engine: str
    model: str
    complete: bool
    refused: bool
    citations: list[Citation]


class Document(BaseModel):
    doc: str
    size: int
    chunks: int
    added_at: str
    uri: str


class Listed(BaseModel):
    collection: str
    collections: list[str]
    total: int
    documents: list[Document]
    next: int | None


class Text(BaseModel):
    collection: str
    doc: str
    start: int
    end: int
    length: int
    next: int | None
    text: str


async def search(call: Call, args: Search) -> Found:
    """The passages."""
    await call.run("search", args.collection, questions=[{"question": args.question}], k=args.k)
    return Found.model_validate(call.lines[0])


async def ask(call: Call, args: Ask) -> Answered:
    """The answer, once it is whole."""
    answer = await call.run("ask", args.collection, question=args.question, engine=args.engine or None, documents=True)
    return Answered.model_validate(answer)


async def list_documents(call: Call, args: ListDocuments) -> Listed:
    """A part of the list."""
    listed = await call.run("documents", args.collection)
    name, every = listed["collection"], listed["documents"]
    end = args.start + LISTED_AT_ONCE
    return Listed(
        collection=name,
        collections=(await call.run("collections"))["collections"],
        total=len(every),
        documents=[Document(**{**item, "uri": uri_of(name, item["doc"])}) for item in every[args.start : end]],
        next=end if end < len(every) else None,
    )


async def read_document(call: Call, args: ReadDocument) -> Text:
    """A part of the text."""
    return Text.model_validate(
        await call.run("read", args.collection, doc=args.doc, start=args.start, length=args.length)
    )


@dataclass(frozen=True)
class Offer:
    """A tool: its arguments, its result, what it does and how its result reads."""

    title: str
    arguments: type[Arguments]
    result: type[BaseModel]
    work: Callable[[Call, Any], Awaitable[BaseModel]]
    told: Callable[[Any], str]

    def described(self, name: str) -> Tool:
        """The tool as clients see it."""
        schema = self.arguments.model_json_schema()
        schema.pop("description", None)  # it is the tool's
        return Tool(
            name=name,
            title=self.title,
            description=cleandoc(self.arguments.__doc__ or ""),
            input_schema=schema,
            output_schema=self.result.model_json_schema(mode="serialization"),
            annotations=ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False),
        )

    async def answer(self, call: Call, given: dict[str, Any]) -> CallToolResult:
        """What the tool has to say.

        Raises:
            UsageError: the arguments are wrong.
        """
        try:
            # Many clients write null for what a model has left out.
            args = self.arguments.model_validate({key: value for key, value in given.items() if value is not None})
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
            raise UsageError(f"Wrong arguments: {wrong}.", "Correct them and call again.") from None
        result = await self.work(call, args)
        return CallToolResult(
            content=[TextContent(type="text", text=self.told(result.model_dump()))],
            structured_content=result.model_dump(mode="json"),
        )


OFFERS = {
    "search": Offer("Search the documents", Search, Found, search, words.of_search),
    "ask": Offer("Ask the documents", Ask, Answered, ask, words.of_answer),
    "list_documents": Offer("List the documents", ListDocuments, Listed, list_documents, words.of_list),
    "read_document": Offer("Read a document", ReadDocument, Text, read_document, words.of_text),
}
