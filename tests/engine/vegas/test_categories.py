"""Categories as typed, as a file, and the ten of the paper."""

from pathlib import Path

import pytest

from v2s_engine.errors import UsageError
from v2s_engine.vegas.categories import VEGAS_CATEGORIES, Category, check_names, parse_category, read_categories
from v2s_engine.vegas.ontology import read_ontology


def test_a_category_is_typed_with_its_classes() -> None:
    assert parse_category("pets=Dog; Domestic animals, pets") == Category("pets", ("Dog", "Domestic animals, pets"))


def test_a_class_alone_names_its_category() -> None:
    assert parse_category("Baby cry, infant cry") == Category("baby_cry_infant_cry", ("Baby cry, infant cry",))


def test_the_paper_s_count_belongs_to_the_paper_s_category() -> None:
    assert parse_category("dog=Dog").paper_clips == 2785
    assert parse_category("dog=Dog;Bark").paper_clips is None
    assert parse_category("hound=Dog").paper_clips is None


@pytest.mark.parametrize(
    "text",
    [
        *("=Dog", "../up=Dog", "a/b=Dog", ".hidden=Dog", "-x=Dog", "犬"),
        *("dog=", "dog=;", "dog=-Dog", "-Dog", "dog=Dog;-"),
        *("con=Dog", "COM1=Dog"),  # devices of Windows
    ],
)
def test_a_name_that_names_no_folder_or_no_class_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"cannot name a category|has no AudioSet class"):
        parse_category(text)


def test_two_categories_cannot_share_a_folder() -> None:
    with pytest.raises(UsageError, match="categories dog and Dog would share a folder"):
        check_names([Category("dog", ("Dog",)), Category("Dog", ("Bark",))])
    with pytest.raises(UsageError, match="categories dog and dog"):
        check_names([Category("dog", ("Dog",)), Category("dog", ("Bark",))])


def test_a_file_has_one_row_for_each_class(tmp_path: Path) -> None:
    path = tmp_path / "categories.csv"
    path.write_text('\ufeffcategory,display_name\nwater,Stream\ncry,"Baby cry, infant cry"\nwater,Rain\n', "utf-8")
    assert read_categories(path) == (Category("water", ("Stream", "Rain")), Category("cry", ("Baby cry, infant cry",)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lacks a column"),
        ("category,class\n", "lacks a column; wanted category and display_name, got category, class"),
        ("category,display_name\n", "has no categories"),
        ("category,display_name\ndog,Dog\ncat\n", "line 3: no display_name"),
        ("category,display_name\n,Dog\n", "line 2: no category"),
        ("category,display_name\na/b,Dog\n", "'a/b' cannot name a category"),
    ],
)
def test_a_faulty_file_says_where(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "categories.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        read_categories(path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"category,display_name\ncaf\xe9,Dog\n")
    for path in (tmp_path / "none.csv", tmp_path / "latin.csv"):
        with pytest.raises(UsageError, match="cannot be read as a CSV of categories"):
            read_categories(path)


def test_the_ten_of_the_paper_are_those_of_the_shared_map(shared: Path) -> None:
    listed = read_categories(shared / "audioset" / "vegas_categories.csv")
    ours = {each.name: set(each.audioset) for each in VEGAS_CATEGORIES}
    assert {each.name.removeprefix("human_"): set(each.audioset) for each in listed} == ours
    ontology = read_ontology(shared / "audioset" / "ontology.json")
    assert all(ontology.find(name) for each in VEGAS_CATEGORIES for name in each.audioset)
