"""Puts up the guard in a Python that OFFLINE's process has started, after the sitecustomize that is there anyway."""

import importlib.machinery
import importlib.util
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

HERE = os.path.dirname(os.path.abspath(__file__))


def load(spec: ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


def refusal(host: str) -> OSError:
    return ConnectionRefusedError(guard.words(host))


try:
    others = [path for path in sys.path if os.path.abspath(path) != HERE]
    if usual := importlib.machinery.PathFinder.find_spec("sitecustomize", others):
        load(usual)
finally:
    path = os.path.join(os.path.dirname(HERE), "guard.py")
    found = importlib.util.spec_from_file_location("hotswap_offline_guard", path)
    assert found is not None
    guard = load(found)
    guard.put_up(refusal)
