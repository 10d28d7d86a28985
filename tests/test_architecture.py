"""The house keeps its floors: who may import whom, what stays unloaded, how long a file may be."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from app.config import ROOT

FLOORS = (
    (
        "app", "columns", "database", "errors", "schema", "sizes", "small_talk", "text", "config", "config_engines",
        "config_errors", "config_file", "config_llm", "config_method", "config_print", "config_vllm",
        "config_vllm_profiles", "config_write", "imports", "offline",
    ),
    ("engines", "models", "readers", "knowledge"),
    ("llm_utils", "conversation"),
    (
        "service", "admission", "answering", "cited_source", "metrics", "fallback", "uploads", "operations", "jobs",
        "owner", "client", "logs", "progress", "inventory", "model_jobs",
        "runs", "charts", "html_page", "evaluation", "evaluation_jobs", "benchmark", "benchmark_jobs", "votes",
        "warm_up",
    ),
    ("cli", "api", "mcp_server", "ui", "__main__", "streamlit_app"),
)  # fmt: skip
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
STRANGERS = FLOORS[1]  # these know nothing of each other, but that documents come from readers, weights from models:
ACQUAINTED = {("knowledge", "readers"), ("knowledge", "models"), ("engines", "models")}

LONGEST = 300  # lines
HEAVY = (
    "torch", "transformers", "sentence_transformers", "chromadb", "streamlit", "langchain_core", "pandas", "mcp",
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """``module`` imports ``target``; ``lazy`` inside a function, ``typing`` for the type checker alone."""

    module: str
    target: str
    line: int
    lazy: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in [*sorted((ROOT / "app").rglob("*.py")), ROOT / "streamlit_app.py"]}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def imports(module: str) -> Iterator[Import]:
    """Every import of a module, wherever it stands in it."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]

    def visit(node: ast.AST, lazy: bool, typing: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            submodules = [f"{base}.{alias.name}" for alias in node.names]
            targets = list(dict.fromkeys(name if name in MODULES else base for name in submodules))
        else:
            targets = []
        for target in targets:
            yield Import(module, target, getattr(node, "lineno", 0), lazy, typing)
        lazy = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        guarded = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            yield from visit(child, lazy, typing or (guarded and child in node.body))  # type: ignore[attr-defined]

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), False, False)


EVERY = [item for module in MODULES for item in imports(module)]
OWN = [item for item in EVERY if item.target in MODULES]


def test_the_walk_sees_imports_of_every_kind() -> None:
    """A walk that finds nothing would find nothing wrong."""
    kinds = {(item.lazy, item.typing) for item in OWN}

    assert len(MODULES) > 40
    assert {(False, False), (True, False), (False, True)} <= kinds
    assert any(item.module == "streamlit_app" for item in OWN)


def test_every_file_is_in_a_room_of_a_floor() -> None:
    assert {room(module) for module in MODULES} <= FLOOR.keys()


def test_imports_go_down_and_never_up() -> None:
    assert [str(item) for item in OWN if FLOOR[room(item.target)] > FLOOR[room(item.module)]] == []


def test_the_parts_of_the_first_floor_know_nothing_of_each_other() -> None:
    met = [
        str(item)
        for item in OWN
        if room(item.module) in STRANGERS
        and room(item.target) in STRANGERS
        and room(item.module) != room(item.target)
        and (room(item.module), room(item.target)) not in ACQUAINTED
    ]

    assert met == []


def test_documents_and_models_come_in_through_one_door_each() -> None:
    through = {item.target for item in OWN if (room(item.module), room(item.target)) in ACQUAINTED}

    assert through == {"app.readers", "app.models"}


def circle(edges: Iterable[tuple[str, str]]) -> str:
    """One circle among ``edges``, as text; empty where there is none."""
    graph: dict[str, set[str]] = {}
    for source, target in edges:
        if source != target:
            graph.setdefault(source, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def test_modules_load_without_going_in_circles() -> None:
    """An engine may load its chat model later, inside a function, and that one import its engine."""
    assert circle((item.module, item.target) for item in OWN if not item.lazy and not item.typing) == ""


def test_rooms_do_not_import_each_other_in_circles_not_even_later() -> None:
    """The server runs streamlit_app.py as Streamlit itself would; that is no import of a lower room."""
    inner = [item for item in OWN if not item.typing and item.target != "streamlit_app"]

    assert circle((room(item.module), room(item.target)) for item in inner) == ""


def test_only_the_page_imports_streamlit() -> None:
    users = [item for item in EVERY if item.target.split(".")[0] == "streamlit" and not item.typing]
    others = [item for item in users if room(item.module) not in ("ui", "streamlit_app")]

    assert users
    assert [str(item) for item in others if room(item.module) != "api" or not item.lazy] == []


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_long(module: str) -> None:
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())

    assert lines <= LONGEST, f"{module} has {lines} lines; it wants splitting"


def loaded_after(code: str) -> set[str]:
    """The heavy packages that a fresh Python has loaded after running ``code``."""
    listing = f"\nimport json, sys; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + listing], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_help_loads_nothing_heavy() -> None:
    code = (
        "import runpy, sys\nsys.argv = ['app', '--help']\n"
        "try:\n    runpy.run_module('app', run_name='__main__')\nexcept SystemExit as end:\n    assert end.code == 0"
    )

    assert loaded_after(code) == set()


@pytest.mark.parametrize("module", ["app.service", "app.llm_utils", "app.knowledge", "app.readers", "app.client"])
def test_importing_the_product_loads_nothing_heavy(module: str) -> None:
    assert loaded_after(f"import {module}") == set()


def test_the_page_loads_nothing_heavy_but_streamlit() -> None:
    bare = loaded_after("import streamlit")

    assert loaded_after("import app.ui.main") == bare
    assert bare <= {"streamlit", "pandas"}


def test_checking_the_engines_loads_nothing_heavy() -> None:
    code = (
        "from app.config import load_settings\nfrom app.engines.registry import ENGINES, create\n"
        "settings = load_settings(ollama_base_url='http://127.0.0.1:9')\n"
        "for name in ENGINES:\n    create(name, settings).check()"
    )

    assert loaded_after(code) == set()
