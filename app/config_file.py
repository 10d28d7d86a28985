"""Reads ``config.yaml`` for :mod:`app.config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.config_errors import did_you_mean, where_to_correct
from app.errors import ConfigError


class FileSource(PydanticBaseSettingsSource):
    """The settings that a file holds; none where there is no file."""

    def __init__(self, settings: type[BaseSettings], path: Path | None) -> None:
        super().__init__(settings)
        self._path = path

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # pydantic-settings asks for it; __call__ answers for all fields at once

    def __call__(self) -> dict[str, Any]:
        path, fields = self._path, self.settings_cls.model_fields
        if path is None:
            return {}
        # Empty means unset, as it does in the environment.
        values = {str(key).lower(): value for key, value in _load(path).items() if value not in (None, "")}
        if (engine := values.pop("inference_engine", None)) is not None:
            values.setdefault("llm_engine", engine)
        unknown = next((key for key in values if key not in fields), None)
        if unknown is not None:
            near = did_you_mean(unknown, [name.upper() for name in fields])
            raise ConfigError(f"{unknown.upper()} is no setting{near}.", where_to_correct(path))
        for key in ("data_dir", "models_dir", "log_file"):  # a relative path in a file is relative to that file
            if isinstance(values.get(key), str):
                values[key] = str(path.parent / expanded(Path(values[key])))
        return values


def expanded(path: Path) -> Path:
    """``path`` with ``~`` as the home folder. Raises ConfigError where there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError(f"There is no home folder for {path}.", "Write the path out in full.") from None


class _Loader(yaml.SafeLoader):
    """YAML's own takes the last of two values of one name, and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name in seen and name != "<<":
                raise yaml.constructor.ConstructorError(None, None, f"{name} is there twice", key.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)


def _load(path: Path) -> dict[str, Any]:
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigError(
            f"{path.name} is not valid YAML{where}: {problem}.", "Compare with config.example.yaml."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} cannot be read: {error}.", "Make it a readable UTF-8 file.") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"{path.name} holds no settings.", "Write lines like LLM_ENGINE: ollama; see config.example.yaml."
        )
    return data
