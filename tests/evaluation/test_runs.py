from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.errors import EvaluationError
from app.evaluation.runs import KEPT, Runs
from app.runs import now
from tests.evaluation.parts import record, run


def test_what_is_kept_is_found_again_the_newest_first(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "evaluations")
    assert runs.ids() == []
    kept = [run(record(1), name=now()[1]) for _ in range(3)]
    for one in kept:
        runs.keep(one)
    assert runs.ids() == [one.id for one in reversed(kept)]
    assert runs.load(kept[1].id) == kept[1]
    runs.remove(kept[1].id)
    assert runs.load(kept[1].id) is None
    assert [path.suffix for path in (tmp_path / "evaluations").iterdir()] == [".json"] * 2


def test_the_oldest_go(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    names = [now()[1] for _ in range(KEPT + 2)]
    for name in names:
        runs.keep(run(record(1), name=name))
    assert runs.ids() == sorted(names, reverse=True)[:KEPT]


def test_damaged_and_foreign_files_are_passed_over(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    whole, damaged, later = (now()[1] for _ in range(3))
    runs.keep(run(record(1), name=whole))
    (tmp_path / f"{damaged}.json").write_text('{"version": 1, "records": [3]}', encoding="utf-8")
    (tmp_path / f"{later}.json").write_text(json.dumps({"version": 99}), encoding="utf-8")
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    assert [name for name in runs.ids() if runs.load(name)] == [whole]
    assert "notes" not in runs.ids()


@pytest.mark.parametrize("name", ["../../history", "", "x"])
def test_an_id_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(EvaluationError):
        Runs(tmp_path).load(name)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(EvaluationError, match="could not be kept"):
        Runs(tmp_path / "file").keep(run(record(1)))
