from pathlib import Path

import numpy as np
import pytest

from v2s_engine.audio import write_wav
from v2s_engine.corpus.recordings import read_library
from v2s_engine.errors import MediaNotFoundError, UsageError


def noise(path: Path, length: int = 8_000, level: float = 0.1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(0).uniform(-level, level, length).astype(np.float32)
    write_wav(path, sound, 16_000)


def test_every_sub_folder_is_a_class(tmp_path: Path) -> None:
    noise(tmp_path / "dog" / "a.wav")
    noise(tmp_path / "drum" / "b.wav")
    library = read_library(tmp_path)
    assert library.sound_classes == ("dog", "drum")
    assert [each.material.file for each in library.recordings] == ["dog/a.wav", "drum/b.wav"]
    assert library.credits()[0]["licence"] == "not stated"


def test_only_the_classes_asked_for(tmp_path: Path) -> None:
    noise(tmp_path / "dog" / "a.wav")
    noise(tmp_path / "drum" / "b.wav")
    assert read_library(tmp_path, classes=["drum"]).sound_classes == ("drum",)


def test_unusable_files_are_left_out_with_the_reason(tmp_path: Path) -> None:
    noise(tmp_path / "dog" / "good.wav")
    noise(tmp_path / "dog" / "short.wav", length=500)
    noise(tmp_path / "dog" / "silent.wav", level=0)
    (tmp_path / "dog" / "broken.wav").write_bytes(b"RIFF")
    library = read_library(tmp_path)
    assert len(library.recordings) == 1
    reasons = dict(library.left_out)
    assert "0.031 s long" in reasons["dog/short.wav"]
    assert "silent throughout" in reasons["dog/silent.wav"]
    assert "cannot be decoded" in reasons["dog/broken.wav"]


def test_a_class_without_usable_files_is_an_error_that_says_why(tmp_path: Path) -> None:
    noise(tmp_path / "dog" / "silent.wav", level=0)
    with pytest.raises(UsageError, match=r"class 'dog'.*silent.wav: silent throughout"):
        read_library(tmp_path)


def test_an_empty_folder_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sub-folders named after the sound classes"):
        read_library(tmp_path)
    with pytest.raises(UsageError, match="is no folder"):
        read_library(tmp_path / "none")


def test_a_manifest_decides_what_may_be_trained_on(tmp_path: Path) -> None:
    for name in ("yes", "held", "forbidden", "unlisted"):
        noise(tmp_path / "audio" / "dog" / f"{name}.wav")
    rows = ["file,licence,attribution,may_ship_trained,split"]
    rows += ["audio/dog/yes.wav,CC0,Ann,1,train", "audio/dog/held.wav,CC0,Ben,1,test"]
    rows += ["audio/dog/forbidden.wav,unknown,Cy,0,train"]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    library = read_library(tmp_path / "audio", manifest=tmp_path / "manifest.csv")
    assert [(each.material.file, each.material.attribution) for each in library.recordings] == [("dog/yes.wav", "Ann")]
    assert dict(library.left_out) == {
        "dog/forbidden.wav": "the manifest does not allow training on it",
        "dog/unlisted.wav": "not in the manifest",
    }
    held = read_library(tmp_path / "audio", manifest=tmp_path / "manifest.csv", split="test")
    assert [each.material.file for each in held.recordings] == ["dog/held.wav"]


def test_a_manifest_without_the_columns_is_refused(tmp_path: Path) -> None:
    noise(tmp_path / "audio" / "dog" / "a.wav")
    (tmp_path / "manifest.csv").write_text("file,licence\n")
    with pytest.raises(UsageError, match="lacks the columns attribution, may_ship_trained, split"):
        read_library(tmp_path / "audio", manifest=tmp_path / "manifest.csv")


def test_a_manifest_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    noise(tmp_path / "audio" / "dog" / "a.wav")
    with pytest.raises(MediaNotFoundError, match="no manifest at"):
        read_library(tmp_path / "audio", manifest=tmp_path / "none.csv")


def test_nothing_of_the_real_test_split_is_trained_on(shared: Path) -> None:
    media = shared / "media"
    trained = read_library(media / "audio", classes=["drum"], manifest=media / "manifest.csv")
    held = read_library(media / "audio", classes=["drum"], manifest=media / "manifest.csv", split="test")
    assert len(trained.recordings) == 35
    assert len(held.recordings) == 8  # of 11; three are shorter than a tenth of a second
    assert len(held.left_out) == 3
    assert not {r.material.sha256 for r in trained.recordings} & {r.material.sha256 for r in held.recordings}
    assert all(each["licence"] and each["attribution"] for each in trained.credits())
