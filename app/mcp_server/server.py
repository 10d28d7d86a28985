"""The server itself, whatever carries it: which requests it knows, and how errors reach the client."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mcp import MCPError
from mcp.server.lowlevel import Server
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from app import __version__
from app.errors import CollectionError, DocumentMissing, HotswapError
from app.jobs import Cancelled
from app.mcp_server.call import Call, Run
from app.mcp_server.tools import OFFERS
from app.mcp_server.uris import TEMPLATE, names_of, uri_of

if TYPE_CHECKING:
    from app.mcp_server.call import Context

log = logging.getLogger(__name__)

_RESOURCES_AT_ONCE = 200
_INSTRUCTIONS = (
    "The user's own documents, in English, Chinese or any language. Use `search` to find passages and answer from"
    " them with their document's name, `ask` for a short finished answer with citations, `list_documents` to see what"
    " there is and `read_document` to read on. When nothing is relevant, say that the documents do not tell."
)


class _Requests:
    """What clients may ask for, answered by way of ``run``."""

    def __init__(self, run: Run, collection: str | None) -> None:
        self._run = run
        self._collection = collection

    def _call(self, context: Context) -> Call:
        return Call(context, self._run, self._collection)

    async def list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[offer.described(name) for name, offer in OFFERS.items()])

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        """A problem with what was asked is a result, so that the model can read it and try again."""
        if params.name not in OFFERS:
            raise MCPError(INVALID_PARAMS, f"There is no tool {params.name!r}. There is {', '.join(OFFERS)}.")
        try:
            return await OFFERS[params.name].answer(self._call(context), params.arguments or {})
        except Exception as error:
            problem = _told(error, params.name)
            return CallToolResult(content=[TextContent(type="text", text=str(problem))], is_error=True)

    async def list_resources(self, context: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        """The documents of every collection, in parts; a cursor is how many came before."""
        cursor = (params and params.cursor) or "0"
        if not cursor.isdecimal():
            raise MCPError(INVALID_PARAMS, f"{cursor!r} is no cursor of this list.")
        call, start = self._call(context), int(cursor)
        found = []
        try:
            for name in (await call.run("collections"))["collections"]:
                listed = (await call.run("documents", name))["documents"]
                found += [(name, item["doc"]) for item in listed]
        except Exception as error:
            raise MCPError(INTERNAL_ERROR, str(_told(error, "resources/list"))) from None
        end = start + _RESOURCES_AT_ONCE
        return ListResourcesResult(
            resources=[
                Resource(
                    uri=uri_of(name, doc), name=doc, description=f"In the collection {name}.", mime_type="text/plain"
                )
                for name, doc in found[start:end]
            ],
            next_cursor=str(end) if end < len(found) else None,
        )

    async def list_templates(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        template = ResourceTemplate(
            uri_template=TEMPLATE,
            name="document",
            title="A document's text",
            description="The text of a document by the names of its collection and its own, both percent-encoded.",
            mime_type="text/plain",
        )
        return ListResourceTemplatesResult(resource_templates=[template])

    async def read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """The text of a document of the catalog; nothing else has an address here."""
        names = names_of(params.uri)
        if names is None:
            raise MCPError(INVALID_PARAMS, f"{params.uri!r} is no address of a document. They look like {TEMPLATE}.")
        try:
            read = await self._call(context).run("read", names[0], doc=names[1])
        except Exception as error:
            missing = isinstance(error, CollectionError | DocumentMissing)
            told = str(_told(error, "resources/read"))
            raise MCPError(INVALID_PARAMS if missing else INTERNAL_ERROR, told, {"uri": params.uri}) from None
        contents = TextResourceContents(uri=params.uri, text=read["text"], mime_type="text/plain")
        return ReadResourceResult(contents=[contents])


def _told(error: Exception, what: str) -> HotswapError:
    """``error`` as its client may read it: one line, no traceback; the log has the rest."""
    if isinstance(error, HotswapError):
        return error
    if isinstance(error, Cancelled):
        return HotswapError("The client has left.")
    log.error("%s failed", what, exc_info=error)
    return HotswapError(f"{what} failed: {type(error).__name__}: {error}", "The server's log has the details.")


def build(run: Run, collection: str | None = None) -> Server[Any]:
    """A server that works through ``run``; ``collection`` is the one that is meant where none is named."""
    requests = _Requests(run, collection)
    return Server(
        "hotswap",
        version=__version__,
        title="Hotswap",
        instructions=_INSTRUCTIONS,
        on_list_tools=requests.list_tools,
        on_call_tool=requests.call_tool,
        on_list_resources=requests.list_resources,
        on_list_resource_templates=requests.list_templates,
        on_read_resource=requests.read_resource,
    )
