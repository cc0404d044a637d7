"""Timeline files: read, and written whole.

with open_timeline(Path("cut.otioz")) as cut:
    cut.timeline, cut.folder            the folder is where its relative media count from

target = destination(Path("cut.otioz"), None, ending="_scored", in_place=False, force=False)
with target.sound_folder() as sounds:
    ...
    warnings = target.write(timeline, sounds=sounds)
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import OutputError, UsageError, V2SError
from v2s_plugin.formats.bundle import CONTENT, MEDIA, folder_content, lay_out, pack, unpacked
from v2s_plugin.formats.bundle_media import gather
from v2s_plugin.formats.fcpxml_document import FOLDER_SUFFIX, INFO
from v2s_plugin.formats.native import write_native
from v2s_plugin.formats.reading import NOTHING_MORE, ReadOptions, read_any
from v2s_plugin.formats.timeline_format import FORMATS, TimelineFormat, format_named, format_of
from v2s_plugin.formats.writing import rehearse, require_adapter, write_any
from v2s_plugin.outputs import whole_file, whole_folder


@dataclass(frozen=True)
class OpenTimeline:
    """A timeline file that was read."""

    timeline: Any
    """`otio.schema.Timeline`."""
    folder: Path
    """Where its relative media count from: the file's own folder; of a bundle, the bundle's inside."""
    source: Path
    format: TimelineFormat


@contextlib.contextmanager
def open_timeline(
    path: Path, options: ReadOptions = NOTHING_MORE, *, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[OpenTimeline]:
    """A timeline file with its media at hand; what a bundle was unpacked to is gone when the block ends.

    No plug-in of anybody runs. `wanted` says which media of a bundle are needed, by their names in it.

    Raises `UsageError` (file type, or a rate that has to be given), `MissingExtraError` (the extra `formats` is not
    installed), `TimelineNotFoundError`, `TimelineSchemaError` (written by a newer OpenTimelineIO),
    `TimelineUnreadableError` (no timeline, or not whole).
    """
    kind = format_of(path)
    if kind.name == "otioz":
        with unpacked(path, wanted) as folder:
            yield OpenTimeline(read_any(folder / CONTENT, kind, options, path), folder, path, kind)
    elif kind.name == "otiod":
        yield OpenTimeline(read_any(folder_content(path), kind, options, path), path.absolute(), path, kind)
    else:
        yield OpenTimeline(read_any(path, kind, options), path.absolute().parent, path, kind)


def read_timeline(path: Path, options: ReadOptions = NOTHING_MORE) -> Any:
    """The `otio.schema.Timeline` in a file alone, without the media of a bundle. Raises as `open_timeline`."""
    with open_timeline(path, options, wanted=lambda name: False) as opened:
        return opened.timeline


def require_facts(path: Path) -> None:
    """Raise `UsageError` where a timeline file is of a format that does not keep what V2S notes on its clips."""
    kind = format_of(path)
    if not kind.holds_facts:
        copy = companion_of(path)
        instead = f"give {copy}, which was written with it" if copy.is_file() else "give the .otio it was made from"
        raise UsageError(
            f"{kind.title} does not keep what V2S notes, so in {path.name} its clips look like any others; {instead}"
        )


@dataclass(frozen=True)
class Destination:
    """Where a changed timeline goes; made by `destination`."""

    path: Path
    """Absolute."""
    in_place: bool
    """Whether it replaces the timeline it was made from."""
    force: bool
    """Whether it may replace a file that exists."""
    source: Path
    """The timeline file it is made from."""
    format: TimelineFormat

    def check(self) -> None:
        """Raise `OutputError` where the file cannot be written: it exists, or its folder does not."""
        if self.path.is_dir() and not (self._is_folder and (self.path / self._content).is_file()):
            raise OutputError(f"{self.path} is a folder; choose another name with -o")
        if self.path.exists() and not (self.force or self.in_place):
            raise OutputError(f"{self.path} exists already; --force replaces it, -o chooses another name")
        if not self.path.parent.is_dir():
            raise OutputError(f"there is no folder {self.path.parent} to write to; make it or choose another with -o")

    def rehearse(self, timeline: Any, folder: Path) -> None:
        """Raise `OutputError` where a timeline, which lies in `folder` and is not scored yet, cannot be written."""
        name = self._content if self._is_folder else f"cut{self.format.suffixes[0]}"
        rehearse(timeline, self.format, name=name, folder=folder, source=self._kindred_source())

    @contextlib.contextmanager
    def sound_folder(self) -> Iterator[Path]:
        """The folder for new sounds: `cut_scored.media` beside the timeline, which stays; for a bundle one that is
        gone when the block ends, since `write` takes the sounds into the bundle.

        Relative media of the new timeline count from the folder around it.
        """
        if not self.format.is_bundle:
            yield self.path.with_suffix(".media")
            return
        try:
            stage = tempfile.TemporaryDirectory(prefix=f".{self.path.name}.", suffix=".part", dir=self.path.parent)
        except OSError as error:
            raise OutputError(
                f"cannot write beside {self.path}: {error.strerror or error}; "
                "allow writing there, or choose another place with -o"
            ) from error
        with stage as folder:
            yield Path(folder) / MEDIA

    def place_of(self, sound: Path) -> Path:
        """Where a file of the sound folder lies once the timeline is written."""
        return self.path / MEDIA / sound.name if self.format.is_bundle else sound

    @contextlib.contextmanager
    def earlier(self) -> Iterator[OpenTimeline | None]:
        """The timeline that will be replaced, with the sounds in it; None where there is none that can be read.

        Of a format that does not hold what V2S notes, the copy that lies with the sounds.
        """
        path = self.path if self.format.holds_facts else companion_of(self.path)
        with contextlib.ExitStack() as stack:
            try:
                found = stack.enter_context(open_timeline(path, wanted=lambda name: name.lower().endswith(".wav")))
            except V2SError:
                yield None
                return
            yield found if path == self.path else OpenTimeline(found.timeline, self.path.parent, path, found.format)

    def write(
        self,
        timeline: Any,
        *,
        sounds: Path | None = None,
        cut: OpenTimeline | None = None,
        earlier: OpenTimeline | None = None,
    ) -> tuple[str, ...]:
        """Write a timeline so that the file holds all of it or what it held before; returns what was lost, in lines.

        In place, the file as it was stays beside it as `.bak`. `sounds` is the folder of new sounds; `cut` is the
        source and `earlier` the timeline that is replaced, where they are open still.

        Raises `OutputError`, `MissingExtraError`.
        """
        self.check()
        if self.format.is_bundle:
            if cut is None:
                with open_timeline(self.source) as opened:
                    return self._write_bundle(timeline, opened, sounds, earlier)
            return self._write_bundle(timeline, cut, sounds, earlier)
        with self._whole_document() as draft:
            warnings = write_any(
                timeline,
                draft,
                self.format,
                folder=self.path.parent,
                media_folder=self.source.absolute().parent,
                source=self._kindred_source(),
            )
        if not self.format.holds_facts and sounds is not None:
            with whole_file(companion_of(self.path)) as draft:
                write_native(timeline, draft)
        return warnings

    @property
    def _is_folder(self) -> bool:
        return self.format.name == "otiod" or self.path.suffix.lower() == FOLDER_SUFFIX

    @property
    def _content(self) -> str:
        return CONTENT if self.format.name == "otiod" else INFO

    @contextlib.contextmanager
    def _whole_document(self) -> Iterator[Path]:
        """Where to write the document to: a file, or the one in a folder of Final Cut Pro's beside all else of it."""
        if self._is_folder:
            with whole_folder(self.path, keep=self._backup() if self.in_place else None) as folder:
                if self.source.is_dir():
                    shutil.copytree(self.source, folder, dirs_exist_ok=True)
                yield folder / self._content
        else:
            with whole_file(self.path) as draft:
                yield draft
                self._keep_backup()

    def _write_bundle(
        self, timeline: Any, cut: OpenTimeline, sounds: Path | None, earlier: OpenTimeline | None
    ) -> tuple[str, ...]:
        gathered = gather(
            timeline,
            folder=cut.folder,
            from_bundle=cut.format.is_bundle,
            before=cut.timeline,
            sounds=sounds,
            earlier=earlier.folder if earlier else None,
        )
        content = otio.core.serialize_json_to_string(gathered.timeline, indent=4)
        if self.format.name == "otioz":
            with whole_file(self.path) as draft:
                pack(gathered.files, content, draft)
                self._keep_backup()
        else:
            with whole_folder(self.path, keep=self._backup() if self.in_place else None) as folder:
                lay_out(gathered.files, content, folder)
        if not gathered.missing:
            return ()
        return (f"{gathered.missing} media were not found and are not in the bundle; relink them and run again",)

    def _kindred_source(self) -> Path | None:
        """The source, where it is of the same format: its file may hold more than OpenTimelineIO keeps of it."""
        return self.source if format_of(self.source) == self.format else None

    def _keep_backup(self) -> None:
        if self.in_place:
            with whole_file(self._backup()) as draft:
                shutil.copyfile(self.path, draft)

    def _backup(self) -> Path:
        return self.path.with_name(f"{self.path.name}.bak")


def destination(
    source: Path,
    output: Path | None,
    *,
    ending: str,
    in_place: bool,
    force: bool,
    format_name: str | None = None,
) -> Destination:
    """Where a timeline changed from `source` goes: to `output`, else beside it with `ending` added to its name.

    Its format is that of `format_name`, else what the suffix of `output` says, else the source's own where V2S can
    write it, else `otio`. Raises `UsageError` for contradictions, an unknown file type, media that would stay behind in
    a bundle, or the input itself without `in_place` (the input is never touched by accident), `OutputError` where the
    file cannot be written, `MissingExtraError` where the format's adapter is not installed.
    """
    read = format_of(source)
    asked = format_named(format_name) if format_name is not None else None
    if in_place:
        if output is not None:
            raise UsageError("--in-place and -o contradict each other; give one of them")
        if asked not in (None, read):
            raise UsageError(f"--in-place and --format {format_name} contradict each other; give one of them")
        _refuse_loss_in_place(source, read)
        return Destination(source.resolve(), True, force, source, read)  # the file, not a link to it, is replaced
    if output is None:
        kind = asked or (read if read.writes else FORMATS[0])
        path = source.with_name(f"{source.stem}{ending}{kind.suffixes[0] if kind != read else source.suffix}")
    else:
        path, kind = output, format_of(output, to="write")
        if asked not in (None, kind):
            raise UsageError(f"-o {output.name} and --format {format_name} contradict each other; give one of them")
    if read.is_bundle and not kind.is_bundle:
        raise UsageError(
            f"the media of {source.name} lie inside it and {path.name} cannot hold them; "
            "write a bundle (--format otioz or otiod)"
        )
    target = Destination(path.absolute(), False, force, source, kind)
    try:
        if path.exists() and source.exists() and path.samefile(source):
            raise UsageError(f"{path} is the input itself; --in-place writes there and keeps a .bak")
        target.check()
        require_adapter(kind)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another place with -o") from error
    return target


def companion_of(path: Path) -> Path:
    """The copy with everything in it, of a timeline file whose format does not hold what V2S notes."""
    return path.with_suffix(".media") / f"{path.stem}.otio"


def _refuse_loss_in_place(source: Path, kind: TimelineFormat) -> None:
    """Only what comes back whole may be replaced by itself."""
    if not (kind.writes and kind.holds_facts):
        raise UsageError(
            f"{source.name} cannot be scored in place: {kind.title} cannot hold all of it; "
            "write another file with -o or --format otio"
        )
