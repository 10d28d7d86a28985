from __future__ import annotations

import pytest

SKIPPING = """
    import pytest

    def test_passes(): pass

    @pytest.mark.skip(reason="by mark")
    def test_marked(): pass

    def test_called(): pytest.skip("by call")

    @pytest.mark.xfail(reason="known")
    def test_expected(): assert False
"""
SKIPPED_MODULE = "import pytest; pytest.importorskip('no_such_module')"


@pytest.fixture(autouse=True)
def this_checkout(pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))


def run(pytester: pytest.Pytester) -> pytest.RunResult:
    pytester.makepyfile(test_some=SKIPPING, test_module=SKIPPED_MODULE)
    return pytester.runpytest_subprocess("-p", "tests.plugins.no_skips", "--continue-on-collection-errors")


def test_under_ci_they_are_failures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=2, errors=2)
    result.stdout.fnmatch_lines(["*CI=true forbids*by mark*"])


def test_elsewhere_they_are_skips(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    run(pytester).assert_outcomes(passed=1, skipped=3, xfailed=1)
