from __future__ import annotations

import threading

import pytest
from streamlit.testing.v1 import AppTest

from app.schema import IngestReport, Progress
from app.ui.ingestion import share
from tests.ui.stand_in import DOC, FAILURE, StandIn


def told(page: AppTest) -> str:
    kinds = (page.main.markdown, page.main.caption, page.main.error, page.main.info, page.main.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def library() -> AppTest:
    """AppTest knows no navigation between functions: the page is called as main.py calls it."""
    return AppTest.from_function(_library, default_timeout=20).run()


def _library() -> None:
    from app.service import current
    from app.ui import library
    from app.ui.faults import guarded

    with guarded():
        library.page(current())


def test_documents_are_listed_with_their_facts(service: StandIn) -> None:
    page = library()
    assert "Documents (1)" in told(page)
    assert "1.2 KB · 3 chunks · 2026-01-02" in told(page)


def test_an_empty_library_says_what_to_do(service: StandIn) -> None:
    service.stored = {}
    assert "No documents here yet" in told(library())


def test_removing_asks_first(service: StandIn) -> None:
    page = library()
    page.button(key=f"remove-{DOC.id}").click().run()
    assert "Answers that cite it" in told(page)
    page.button(key="confirm-keep").click().run()
    assert service.stored["default"] == [DOC]
    page.button(key=f"remove-{DOC.id}").click().run()
    page.button(key="confirm-remove").click().run()
    assert service.stored["default"] == []
    assert "No documents here yet" in told(page)


def test_uploaded_files_are_watched_to_their_end_and_say_why_they_failed(service: StandIn) -> None:
    service.report = IngestReport(added=1, failed=[FAILURE])
    page = library()
    threading.Timer(0.5, service.work.set).start()
    page.file_uploader(key="upload-0").upload("good.md", b"text", "text/markdown").run()
    job = service.jobs()[0]
    assert job.title == "good.md"
    assert "1 added · 1 not read" in told(page)
    assert "broken.pdf" in told(page) and "Get it again" in told(page)
    assert "/somewhere" not in told(page)
    page.button(key=f"dismiss-{job.id}").click().run()
    assert "1 added" not in told(page)


def test_a_cancelled_job_says_so(service: StandIn) -> None:
    job = service.upload([("good.md", b"text")])
    job.cancel()
    assert job.wait(5)
    assert "Cancelled" in told(library())


@pytest.mark.parametrize(
    ("done", "counted"),
    [
        (Progress("waiting"), 0.0),
        (Progress("reading", 1, 4, "a"), 0.25),
        (Progress("embedding", 1, 4, "a", "1/2"), 0.375),
        (Progress("embedding", 4, 4, "a", "5/5"), 1.0),
    ],
)
def test_the_share_counts_chunks_of_the_file_at_hand(done: Progress, counted: float) -> None:
    assert share(done) == counted
