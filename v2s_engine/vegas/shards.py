"""WebDataset shards: clips in tar files, shuffled, so that a large training reads from front to back.

    shards/train-000000.tar     <key>.mkv   the clip
                                <key>.json  category, split, licence, attribution, video_id, begin_s, length, ...

The layout is that of github.com/webdataset/webdataset: members that share all up to the first dot are one sample. The
same clips, seed and sizes give the same bytes: no times, no owners.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from v2s_engine.corpus.clips import Split
from v2s_engine.errors import UsageError
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.dataset_clips import DatasetClip
from v2s_engine.vegas.whole_file import whole_file

_PACKER = 1
"""Raised where the same clips come out as other bytes."""


@dataclass(frozen=True)
class ShardOptions:
    """How clips are spread over shards; one of the two is given. Raises `UsageError`."""

    count: int | None = None
    """Shards of each split, or as many as it has clips."""
    size: int | None = None
    """Bytes of clips in a shard, at most, unless a single clip has more."""

    def __post_init__(self) -> None:
        given = [each for each in (self.count, self.size) if each is not None]
        if len(given) != 1 or given[0] < 1:
            raise UsageError(
                "shards want either how many there are or how large they are, at least 1; "
                f"got count {self.count} and size {self.size}"
            )


@dataclass(frozen=True)
class ShardClip:
    """A clip to be packed, and its file as it was built."""

    clip: DatasetClip
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Shard:
    """A tar file and what is in it, in order."""

    file: str
    """Its path below the set's folder."""
    clips: tuple[ShardClip, ...]

    @property
    def made_of(self) -> str:
        """Digest of all that decides its bytes."""
        told = [_PACKER, [(each.sha256, _json(each)) for each in self.clips]]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def plan_shards(clips: Iterable[ShardClip], options: ShardOptions, seed: int) -> list[Shard]:
    """Which clip goes into which shard: each split on its own, in an order that the seed draws."""
    splits: dict[Split, list[ShardClip]] = {split: [] for split in get_args(Split)}
    for each in clips:
        splits[each.clip.split].append(each)
    shards: list[Shard] = []
    for split, members in splits.items():
        members.sort(key=lambda each: _lot(seed, each.clip.key))
        shards += [
            Shard(f"shards/{split}-{number:06d}.tar", tuple(part))
            for number, part in enumerate(_parts(members, options))
        ]
    return shards


def write_shard(folder: Path, shard: Shard) -> Path:
    """Pack the clips of a shard, which lie in the set's folder. Returns its path. Raises `OutputError`."""
    path = folder / shard.file
    with whole_file(path) as draft, tarfile.open(draft, "w", format=tarfile.USTAR_FORMAT) as archive:
        for each in shard.clips:
            description = _json(each).encode()
            with (folder / each.clip.file).open("rb") as content:
                archive.addfile(_member(f"{each.clip.key}.mkv", each.size), content)
            archive.addfile(_member(f"{each.clip.key}.json", len(description)), io.BytesIO(description))
    return path


def _parts(members: Sequence[ShardClip], options: ShardOptions) -> list[Sequence[ShardClip]]:
    """The members in parts that follow each other; none is empty."""
    if options.count is not None:
        count = min(options.count, len(members))
        bounds = [len(members) * number // count for number in range(count + 1)] if count else []
        return [members[begin:end] for begin, end in itertools.pairwise(bounds)]
    parts: list[Sequence[ShardClip]] = []
    begin = held = 0
    for place, each in enumerate(members):
        if place > begin and held + each.size > (options.size or 0):
            parts.append(members[begin:place])
            begin, held = place, 0
        held += each.size
    return [*parts, members[begin:]] if members else []


def _member(name: str, size: int) -> tarfile.TarInfo:
    """A header that says nothing of when and by whom: time 0, owner 0, mode 0644."""
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _json(each: ShardClip) -> str:
    clip = each.clip
    description: dict[str, Any] = {
        "category": clip.category,
        "split": clip.split,
        "licence": clip.licence,
        "attribution": clip.attribution,
        "video_id": clip.video_id,
        "begin_s": clip.begin_s,
        "length": clip.length,
        "sample_rate": SAMPLE_RATE,
        "file": clip.file,
        "sha256": each.sha256,
    }
    return json.dumps(description, sort_keys=True, ensure_ascii=False)


def _lot(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}/shards/{key}".encode()).hexdigest()
