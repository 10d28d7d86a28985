"""What is known of a fetched model: where it came from and which of its files are whole; kept in its folder."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import DiskFull, ModelDamaged
from app.models.folder import MANIFEST, NOTES, unreadable
from app.models.shelf import write_file
from app.schema import Progress

if TYPE_CHECKING:
    from app.schema import OnProgress


@dataclass(frozen=True)
class WholeFile:
    """A file that was verified: its bytes, its checksum, and when it was written last (ns since 1970)."""

    size: int
    sha256: str
    mtime_ns: int


@dataclass
class Manifest:
    """``name`` is what settings call the model by; ``command`` brings it here again.

    ``leftover`` are files of an earlier state that this one has not; they go.
    """

    name: str
    source: str
    commit: str
    command: str
    complete: bool = False
    files: dict[str, WholeFile] = field(default_factory=dict)
    leftover: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Raises DiskFull."""
        write_file(folder / NOTES / MANIFEST, json.dumps(asdict(self), indent=1, ensure_ascii=False))

    def unchanged(self, folder: Path, path: str) -> bool:
        """Whether a file is as it was when it was verified, by its size and time."""
        known = self.files.get(path)
        try:
            now = (folder / path).stat()
        except OSError:
            return False
        return known is not None and (known.size, known.mtime_ns) == (now.st_size, now.st_mtime_ns)

    def changed(self, path: str) -> ModelDamaged:
        """The error for a file that is not as it was when it was verified."""
        return ModelDamaged(f"{path} of {self.name} changed since it was fetched.", f"`{self.command}` mends it.")

    def note(self, folder: Path, path: str, sha256: str) -> None:
        """Remember that a file is whole."""
        now = (folder / path).stat()
        self.files[path] = WholeFile(now.st_size, sha256, now.st_mtime_ns)


def verify(folder: Path, on_progress: OnProgress) -> None:
    """Compare a fetched model with its checksums; what was copied here, with other times, is noted anew.

    Raises:
        ModelDamaged: a file changed since it was fetched.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return
    for number, (path, known) in enumerate(list(manifest.files.items())):
        on_progress(Progress("checking", number, len(manifest.files), manifest.name))
        try:
            with open(folder / path, "rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise manifest.changed(path) from None
        except OSError as error:
            raise unreadable(folder / path, error) from None
        if sha256 != known.sha256:
            raise manifest.changed(path)
        manifest.note(folder, path, sha256)
    with suppress(DiskFull):  # a disk that is only read
        manifest.write(folder)


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a fetched model; None where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads((folder / NOTES / MANIFEST).read_text(encoding="utf-8"))
        files = {str(path): WholeFile(**known) for path, known in found.pop("files").items()}
        return Manifest(**found, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
