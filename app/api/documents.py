"""``/api/documents``: upload, list and remove documents, and see how their ingestion goes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, File, Query, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from app.api import jobs
from app.api.chat_request import Text
from app.api.described import may_fail
from app.api.replies import failure, wrong
from app.errors import UnsupportedFormat
from app.knowledge.library import DEFAULT_COLLECTION
from app.readers import SUFFIXES, is_supported
from app.service import current

_LONGEST_NAME = 255  # bytes, as most file systems have it
router = APIRouter(prefix="/api/documents", tags=["documents"])
Collection = Annotated[Text | None, Query(description="its name; without one, the default collection", max_length=63)]


@router.get("", response_model=None, responses=may_fail(400, 404, 409))
async def listed(collection: Collection = None) -> dict[str, Any]:
    """The documents of a collection."""
    found = await run_in_threadpool(current().documents, collection)
    return {"collection": collection or DEFAULT_COLLECTION, "documents": [info.as_dict() for info in found]}


@router.post("", response_model=None, status_code=202, responses=may_fail(400, 415, 503))
async def upload(
    files: Annotated[list[UploadFile], File(description="one or more documents", min_length=1, max_length=1000)],
    collection: Collection = None,
) -> Response:
    """Keep files and ingest them in the background; the job tells how it goes. A file of the same name is replaced."""
    names = [_plain(file.filename) for file in files]
    if problem := _wrong_names(names):
        return problem
    contents = [(name, await file.read()) for name, file in zip(names, files, strict=True)]
    job = await run_in_threadpool(current().upload, contents, collection)
    return JSONResponse({"job": jobs.as_dict(job)}, 202, {"Location": f"/api/documents/jobs/{job.id}"})


@router.delete("", response_model=None, responses=may_fail(400, 404, 409, 503))
async def remove(
    doc: Annotated[list[Text], Query(description="a name as it is listed; several at once", min_length=1)],
    collection: Collection = None,
) -> dict[str, Any]:
    """Remove documents, all or none: text, vectors, keywords and the uploaded file."""
    return {"removed": await run_in_threadpool(current().remove, doc, collection)}


@router.get("/jobs", response_model=None, responses=may_fail())
async def running() -> dict[str, Any]:
    """Running and recent ingestions, newest first."""
    return {"jobs": [jobs.as_dict(job) for job in current().jobs()]}


@router.get("/jobs/{number}", response_model=None, responses=may_fail(404))
async def job(number: str) -> Response:
    """How one goes."""
    return jobs.one(jobs.find(current().jobs(), number))


@router.delete("/jobs/{number}", response_model=None, responses=may_fail(404))
async def cancel(number: str) -> Response:
    """Stop one after the file at hand; the files before it stay."""
    found = jobs.find(current().jobs(), number)
    if found:
        found.cancel()
    return jobs.one(found)


def _plain(name: str | None) -> str:
    """The last part of a file's name: where it lies on the client's disk is the client's affair."""
    return (name or "").replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "").lstrip(".")


def _wrong_names(names: list[str]) -> Response | None:
    """What is wrong with the names of an upload's files, if anything."""
    for number, name in enumerate(names):
        if not name:
            return wrong(f"files[{number}] has no name.", "files")
        if len(name.encode()) > _LONGEST_NAME:
            return wrong(f"files[{number}] has a name of more than {_LONGEST_NAME} bytes.", "files")
        if name in names[:number]:
            return wrong(f"Two files are called {name}, and the second would replace the first.", "files")
        if not is_supported(name):
            readable = f"Readable are {' '.join(sorted(SUFFIXES))}."
            return failure(UnsupportedFormat(f"{name[:200]} cannot be read.", readable), "files")
    return None
