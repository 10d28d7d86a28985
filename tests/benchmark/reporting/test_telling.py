from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from csv import reader
from io import StringIO

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.benchmark.reporting import drawing
from app.benchmark.reporting.html import page
from app.benchmark.reporting.runs import Report, read
from app.benchmark.reporting.sheet import REPEATS, REQUESTS, csv
from app.benchmark.reporting.table import table
from app.text import Language
from tests.balanced import Balanced
from tests.benchmark.strategies import REPORTS

LANGUAGES: tuple[Language, ...] = ("en", "zh")
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@few
@given(REPORTS)
def test_every_report_comes_back_from_its_file(report: Report) -> None:
    text = json.dumps(report.as_dict())
    again = read(json.loads(text))

    assert again is not None and again.as_dict() == report.as_dict()


@few
@given(REPORTS, st.sampled_from(LANGUAGES))
def test_every_report_can_be_told(report: Report, of: Language) -> None:
    text = page([report], of)
    parser = Balanced()
    parser.feed(text)

    assert parser.open == [] and text.encode()
    assert "<script" not in text and "<img" not in text
    assert table(report, of).endswith("\n")
    for svg in drawing.charts(report, of):
        assert "nan" not in svg and "inf" not in svg
        assert ET.fromstring(svg).tag.endswith("svg")


@few
@given(REPORTS)
def test_every_report_is_a_sheet(report: Report) -> None:
    text = csv(report)
    heads, *rows = reader(StringIO(text, newline=""))

    assert text.endswith("\r\n") and text.encode()
    assert tuple(heads) in (REQUESTS, REPEATS) and {len(row) for row in rows} <= {len(heads)}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "\t", "\r", "\n"))]
