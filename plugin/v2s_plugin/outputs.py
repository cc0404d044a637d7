"""How results come onto the disk: whole or not at all, and by one run at a time."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from v2s_engine.errors import OutputError, V2SError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; put in place of `path` when the block ends well.

    A reader sees the old file or the new one, never a part, whatever happens in between. Raises as `draft_of`; an error
    or a cancel inside the block leaves `path` as it was.
    """
    with draft_of(path) as draft:
        yield draft
        settle(draft, path)


@contextlib.contextmanager
def whole_folder(path: Path, keep: Path | None = None) -> Iterator[Path]:
    """An empty folder beside `path`, put in place of it when the block ends well; raises `OutputError`.

    What stood there goes to `keep`, or is removed.
    """
    with contextlib.ExitStack() as stack:
        try:
            draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
            stack.callback(shutil.rmtree, draft, ignore_errors=True)
            yield draft
            draft.chmod(0o777 & ~_umask())
            if path.exists():
                old = keep or draft.with_name(f"{draft.name}.old")
                if keep is None:
                    stack.callback(shutil.rmtree, old, ignore_errors=True)
                elif keep.exists():
                    shutil.rmtree(keep)
                path.rename(old)
            draft.rename(path)
        except OSError as error:
            raise OutputError(
                f"cannot write {path}: {error.strerror or error}; "
                "free some space, allow writing there, or choose another place with -o"
            ) from error


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; whatever is still there when the block ends is removed.

    Raises `OutputError` where the folder or the disk does not take what the block writes.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield draft
    except V2SError:  # some of them are OSErrors too
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; "
            "free some space, allow writing there, or choose another place with -o"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def clear_drafts(folder: Path, name: str | None = None) -> None:
    """Remove the drafts that a killed run left in `folder`, of one file or of all. Call it where no other run is."""
    pattern = f".{glob.escape(name) if name else '*'}.*.part"
    for draft in folder.glob(pattern):
        with contextlib.suppress(OSError):
            shutil.rmtree(draft) if draft.is_dir() else draft.unlink()


def settle(draft: Path, path: Path) -> None:
    """Give a draft its name. Its data are on the disk before the name is, so that a power cut leaves no empty file."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(path.parent)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@contextlib.contextmanager
def only_run(output: Path) -> Iterator[None]:
    """Hold `output` for this run: a lock file beside it, freed by the system even where the process is killed.

    Raises `OutputError` at once where another run holds it.
    """
    lock = output.with_name(f".{output.name}.lock")
    try:
        descriptor = _lock_file(lock)
    except BlockingIOError:
        raise OutputError(
            f"another run is writing {output}; wait for it to end, or choose another name with -o"
        ) from None
    except OSError as error:
        raise OutputError(
            f"cannot write beside {output}: {error.strerror or error}; "
            "allow writing there, or choose another place with -o"
        ) from error
    try:
        clear_drafts(output.parent, output.name)
        yield
    finally:
        # Unlinked while still held: whoever opened the old name finds it gone and tries again (`_lock_file`).
        with contextlib.suppress(OSError):
            lock.unlink()
        os.close(descriptor)


def _lock_file(lock: Path) -> int:
    """Descriptor of the lock file, held; raises `BlockingIOError` where somebody else holds it."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _hold(descriptor)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _hold(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(str(error)) from error

    def _sync_folder(folder: Path) -> None:
        """Windows keeps a rename without being asked."""

else:
    import fcntl

    def _hold(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _sync_folder(folder: Path) -> None:
        """Have the rename itself on the disk too."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
