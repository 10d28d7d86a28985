"""The files of one model, several at a time, into their folder."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import DiskFull
from app.models.folder import NOTES
from app.models.kinds import Kind, check, check_kind, kind_of
from app.models.manifest import Manifest, read_manifest
from app.models.meter import Meter
from app.models.selection import check_index, check_names, is_small, select
from app.models.shelf import unwritable, writing
from app.models.sources.base import Listing, RemoteFile, Source
from app.models.transfer import Transfer, checksum_of
from app.schema import Progress

if TYPE_CHECKING:
    from app.schema import OnProgress

_AT_ONCE = 4  # files
_TICK = 0.2  # seconds between two looks at the progress
_SPARE = 100_000_000  # bytes of the disk that are left to others
_GB = 10**9


class Download:
    """What ``listing`` has, brought to ``folder``. A model that is whole there answers until the new one is."""

    def __init__(
        self,
        source: Source,
        listing: Listing,
        folder: Path,
        include: Sequence[str],
        exclude: Sequence[str],
        kind: Kind | None,
    ) -> None:
        self.came = 0
        self._source, self._listing, self._folder = source, listing, folder
        self._files = select(listing, include, exclude)
        self._all = not include and not exclude
        self._kind = kind
        self._before = read_manifest(folder)
        self._parts = folder / NOTES / "parts"
        # Beside a whole model the files of its next state wait until all of them are there.
        self._aside = folder / NOTES / "next"
        self._next = self._aside if self._before and self._before.complete else folder

    def run(self, name: str, command: str, on_progress: OnProgress, *, allow_pickle: bool) -> None:
        """Fetch what is missing; ``came`` is then what came over the network, in bytes.

        Raises:
            DownloadError: it did not come whole; what came is kept.
            ModelDamaged: it is no model that can be loaded; one that was whole here before stays.
        """
        if self._all:
            check_names(self._listing.name, self._files, self._listing.files, allow_pickle=allow_pickle)
        manifest = self._manifest(name, command)
        with writing(self._folder):
            if self._next == self._folder:
                self._let_go(manifest)
            missing = self._missing(manifest, on_progress)
        total = sum(file.size or 0 for file in self._files)
        here = total - sum(max(0, (file.size or 0) - _size(self._part(file))) for file in missing)
        self._check_room(total - here)
        if missing and self._next == self._folder:
            manifest.write(self._folder)
        meter = Meter(name, here, total)
        transfer = Transfer(self._source, self._listing, meter.add)
        try:
            small = [file for file in missing if is_small(file)]
            self._fetch(small, transfer, manifest, meter, on_progress)
            if self._all:
                check_index(self._listing.name, self._files, self._newest)
            if self._all and self._next == self._folder:
                check_kind(self._folder, self._kind or kind_of(self._folder))
            large = sorted((file for file in missing if not is_small(file)), key=lambda file: -(file.size or 0))
            self._fetch(large, transfer, manifest, meter, on_progress)
        finally:
            self.came = meter.came
        with writing(self._folder):
            if self._all and self._aside.is_dir():
                self._check_next(manifest)
            self._finish(manifest)

    def _check_next(self, manifest: Manifest) -> None:
        """Whether the new state is a model too, before it takes the place of one that works.

        Raises:
            ModelDamaged, ModelUnusable: it is not.
        """
        whole = self._folder / NOTES / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        for file in self._files:
            (whole / file.path).parent.mkdir(parents=True, exist_ok=True)
            _link(self._newest(file.path), whole / file.path)
        manifest.write(whole)
        try:
            check(whole, self._kind or kind_of(whole))
        finally:
            shutil.rmtree(whole, ignore_errors=True)

    def _manifest(self, name: str, command: str) -> Manifest:
        made = Manifest(name, self._source.label, self._listing.commit, command)
        wanted = {file.path for file in self._files}
        before = self._before
        if before and self._all:
            made.leftover = sorted({*before.files, *before.leftover} - wanted)
        elif before:
            made.files = {path: known for path, known in before.files.items() if path not in wanted}
        return made

    def _missing(self, manifest: Manifest, on_progress: OnProgress) -> list[RemoteFile]:
        """The files that are not here, or not as the source has them; the others go into the manifest."""
        missing = []
        for number, file in enumerate(self._files):
            on_progress(Progress("checking", number, len(self._files), self._listing.name))
            place = self._place(file, manifest)
            if place is None:
                missing.append(file)
            if place != self._aside and (self._aside / file.path).is_file():
                (self._aside / file.path).unlink()  # of a state in between
        return missing

    def _place(self, file: RemoteFile, manifest: Manifest) -> Path | None:
        for place in dict.fromkeys((self._next, self._aside, self._folder)):
            sha256 = self._whole(place, file)
            if sha256 is None:
                continue
            if place == self._aside != self._next:  # a stop came while the files were put in their places
                (self._folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(place / file.path, self._folder / file.path)
                place = self._folder
            manifest.note(place, file.path, sha256)
            return place
        return None

    def _whole(self, place: Path, file: RemoteFile) -> str | None:
        """The SHA-256 of a file that is as the source has it; None for any other, and where there is none."""
        path, known = place / file.path, self._before
        if not path.is_file():
            return None
        noted = known.files.get(file.path) if known and known.unchanged(place, file.path) else None
        if not file.checksum and (noted is None or known is None or known.commit != self._listing.commit):
            return None
        # Of a model that is whole everything is verified anew; what an earlier try verified is not.
        if noted and known and not known.complete and file.checksum in ("", f"sha256:{noted.sha256}"):
            return noted.sha256
        return checksum_of(path, file)

    def _fetch(
        self,
        files: Sequence[RemoteFile],
        transfer: Transfer,
        manifest: Manifest,
        meter: Meter,
        on_progress: OnProgress,
    ) -> None:
        def one(file: RemoteFile) -> tuple[str, str]:
            return file.path, transfer.fetch(file, self._part(file), self._next / file.path)

        if not files:
            return
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="fetch") as pool:
            pending: set[Future[tuple[str, str]]] = {pool.submit(one, file) for file in files}
            try:
                while pending:
                    done, pending = wait(pending, _TICK, FIRST_EXCEPTION)
                    for path, sha256 in (future.result() for future in done):
                        manifest.note(self._next, path, sha256)
                    if done and self._next == self._folder:
                        manifest.write(self._folder)
                    whole = sum(file.path in manifest.files for file in self._files)
                    on_progress(meter.progress(f"{whole}/{len(self._files)}"))
            except BaseException:
                transfer.stop()
                for future in pending:
                    future.cancel()
                raise

    def _finish(self, manifest: Manifest) -> None:
        """All files are whole: put them in their places, let go of what the new state has not."""
        wanted = {file.path for file in self._files}
        changed = [path for path in wanted if (self._aside / path).is_file()]
        if changed or manifest.leftover:
            manifest.write(self._folder)  # from here on the old state is gone
        self._let_go(manifest)
        for path in changed:
            (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self._aside / path, self._folder / path)
        for path in wanted:
            manifest.note(self._folder, path, manifest.files[path].sha256)
        before = self._before
        manifest.leftover, manifest.complete = [], self._all or before is None or before.complete
        manifest.write(self._folder)
        for left in (self._parts, self._aside) if manifest.complete else ():
            shutil.rmtree(left, ignore_errors=True)

    def _let_go(self, manifest: Manifest) -> None:
        for path in manifest.leftover:
            gone = self._folder / path
            gone.unlink(missing_ok=True)
            with suppress(OSError):  # until one is not empty
                for parent in gone.relative_to(self._folder).parents[:-1]:
                    (self._folder / parent).rmdir()

    def _newest(self, path: str) -> Path:
        """Where a file of the new state is: among what came now, or as it was."""
        return self._next / path if (self._next / path).is_file() else self._folder / path

    def _part(self, file: RemoteFile) -> Path:
        key = hashlib.sha256(f"{file.path}\n{file.size}\n{file.checksum}\n{self._commit_of(file)}".encode())
        return self._parts / f"{key.hexdigest()[:24]}.part"

    def _commit_of(self, file: RemoteFile) -> str:
        return "" if file.checksum else self._listing.commit  # without a checksum only the commit tells bytes apart

    def _check_room(self, wanted: int) -> None:
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise unwritable(self._folder, error) from None
        if wanted and wanted + _SPARE > free:
            raise DiskFull(
                f"{self._listing.name} needs {wanted / _GB:.1f} GB more on the disk of {self._folder},"
                f" where {free / _GB:.1f} GB are free.",
                "Make room there, or choose another disk with --to or MODELS_DIR.",
            )


def _link(file: Path, place: Path) -> None:
    """Show ``file`` at ``place`` as well, without a copy."""
    try:
        os.link(file, place)
    except OSError:  # a file system without such links
        os.symlink(file, place)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
