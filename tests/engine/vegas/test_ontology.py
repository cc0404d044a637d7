"""AudioSet's classes by id, by name, and with what stands below them."""

import json
from pathlib import Path

import pytest

from tests.engine.vegas.small_audioset import CLASSES, write_ontology
from v2s_engine.errors import UsageError
from v2s_engine.vegas.ontology import Ontology, read_ontology


@pytest.fixture
def ontology(tmp_path: Path) -> Ontology:
    return read_ontology(write_ontology(tmp_path / "ontology.json"))


def test_a_class_is_found_by_name_and_by_id(ontology: Ontology) -> None:
    assert ontology.find("Dog") == ontology.find("/m/dog")
    assert ontology.find("Dog").mid == "/m/dog"


def test_what_stands_below_is_found_by_every_way_down_and_up(ontology: Ontology) -> None:
    assert ontology.with_descendants(["/m/dog"]) == {"/m/dog", "/m/bark", "/m/growl"}
    assert ontology.with_descendants(["/m/cat", "/m/rain"]) == {"/m/cat", "/m/growl", "/m/rain"}
    assert ontology.with_ancestors(["/m/growl"]) == {"/m/growl", "/m/dog", "/m/cat", "/m/animal"}


def test_a_circle_does_no_harm(tmp_path: Path) -> None:
    circle = read_ontology(write_ontology(tmp_path / "o.json", {"a": ("A", ["b"]), "b": ("B", ["a", "b"])}))
    assert circle.with_descendants(["a"]) == circle.with_ancestors(["a"]) == {"a", "b"}


@pytest.mark.parametrize(("typed", "offered"), [("dog", "'Dog'"), ("Growlin", "'Growling'"), ("snare", "'Snare drum'")])
def test_an_unknown_name_is_an_error_that_offers_near_ones(ontology: Ontology, typed: str, offered: str) -> None:
    with pytest.raises(UsageError, match=f"no sound class '{typed}'; did you mean .*{offered}"):
        ontology.find(typed)


def test_a_name_like_no_other_is_an_error_too(ontology: Ontology) -> None:
    with pytest.raises(UsageError, match="no sound class 'Xylographer'; the names stand in"):
        ontology.find("Xylographer")


def test_a_name_of_two_classes_wants_an_id(tmp_path: Path) -> None:
    two = read_ontology(write_ontology(tmp_path / "o.json", {"/m/1": ("Bell", []), "/m/2": ("Bell", [])}))
    with pytest.raises(UsageError, match="2 sound classes are called 'Bell'; give the id of one: /m/1, /m/2"):
        two.find("Bell")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ("\ud800".encode("utf-8", "surrogatepass"), "cannot be read as JSON"),
        ("{}", "holds no list of sound classes"),
        ("[]", "holds no list of sound classes"),
        ('["Dog"]', "entry 1 lacks id, name or child_ids"),
        ('[{"id": "a", "name": "A", "child_ids": [1]}]', "entry 1 lacks id, name or child_ids"),
        ('[{"id": "a", "name": "A", "child_ids": ["b"]}]', "'A' has the sub-class 'b', which is not there"),
        (json.dumps([{"id": "a", "name": "A", "child_ids": []}] * 2), "two sound classes with the id a"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "ontology.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError, match=message):
        read_ontology(path)


def test_no_file_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no ontology at .*; get ontology.json from github.com/audioset/ontology"):
        read_ontology(tmp_path / "ontology.json")


def test_the_real_one(shared: Path) -> None:
    real = read_ontology(shared / "audioset" / "ontology.json")
    assert len(real.classes) == 632
    below = {real.classes[mid].name for mid in real.with_descendants([real.find("Fireworks").mid])}
    assert below == {"Fireworks", "Firecracker"}
    with pytest.raises(UsageError, match="did you mean 'Snoring'"):
        real.find("snoring")
    assert len(CLASSES) < len(real.classes)
