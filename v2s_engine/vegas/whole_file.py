"""A file that is there whole or not at all, also where its writer is killed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from v2s_engine.errors import OutputError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A `.part` path beside `path` to write to; put in place of `path` when the block ends well, else removed.

    Makes the folder where there is none. Raises `OutputError` where folder or disk cannot take it. A killed run's
    `.part` is written over by the next.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error}; free some space or choose another place") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
