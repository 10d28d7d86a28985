"""Under CI=true a skipped test is a failure, and so is one expected to fail: none drops out unseen."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def _strict(report: Report) -> Report:
    if report.skipped and os.environ.get("CI") == "true":
        reason = getattr(report, "wasxfail", "") or report.longreprtext.strip() or "no reason given"
        report.outcome = "failed"
        report.longrepr = f"skipped or expected to fail, which CI=true forbids: {reason}"
        if hasattr(report, "wasxfail"):
            del report.wasxfail  # otherwise the failure would be counted as expected
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _strict((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _strict((yield))
