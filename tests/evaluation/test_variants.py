from __future__ import annotations

from pathlib import Path

import pytest

from app.config import load_settings
from app.errors import ConfigError, EmbedderUnavailable, EvaluationError, RerankerUnavailable
from app.evaluation.variants import shown, variant


def test_settings_are_checked_and_the_others_stay(tmp_path: Path) -> None:
    ours = load_settings(data_dir=tmp_path, reranker_model="org/sorter")
    other = variant(["STRICTNESS=0.7"], ours)
    assert (other.settings.strictness, other.settings.reranker_model) == (0.7, "org/sorter")
    assert other.settings.data_dir == tmp_path
    assert not other.reindexes
    assert shown(other.settings, other)["STRICTNESS"] == 0.7
    assert variant(["embedding_model=all-MiniLM-L6-v2", "STRICTNESS=0"], ours).reindexes
    assert variant(["RERANKER_MODEL="], ours).settings.reranker_model == ""
    assert shown(ours, variant(["TRUST_REMOTE_CODE=true"], ours))["TRUST_REMOTE_CODE"] is False


@pytest.mark.parametrize(
    ("pair", "kind", "words"),
    [
        ("STRICTNESS", EvaluationError, "no setting with a value"),
        ("=3", EvaluationError, "no setting with a value"),
        ("STRICTNESS=7", ConfigError, "STRICTNESS"),
        ("STRICTNES=0.7", ConfigError, "STRICTNES"),
        ("MODEL=qwen3:8b", EvaluationError, "changes nothing about what is found"),
        ("DATA_DIR=/elsewhere", EvaluationError, "changes nothing about what is found"),
    ],
)
def test_what_cannot_be_compared_is_told_in_one_line(pair: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as caught:
        variant([pair], load_settings())
    assert words.casefold() in str(caught.value).casefold()
    assert "Write NAME=VALUE" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("pair", "kind"),
    [("EMBEDDING_MODEL=no/such", EmbedderUnavailable), ("RERANKER_MODEL=no/such", RerankerUnavailable)],
)
def test_a_model_that_is_not_here_is_told_before_any_work(tmp_path: Path, pair: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="no/such is not on this disk"):
        variant([pair], load_settings(data_dir=tmp_path))
