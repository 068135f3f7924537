"""What dataset.toml can say."""

from __future__ import annotations

from pathlib import Path

from tests.training.datasets.support import read, rows


def test_columns_delimiter_and_scale_are_mapped(tmp_path: Path) -> None:
    dataset = read(
        tmp_path,
        {
            "clicks.txt.gz": "kunde;artikel;note;zeit\nk1;a1;10;5\nk1;a2;5.5;6\n",
            "dataset.toml": """
                name = "shop"
                [interactions]
                file = "clicks.txt"
                delimiter = ";"
                columns = { user = "kunde", item = "artikel", value = "note", timestamp = "zeit" }
                scale = [1, 10]
                [weights]
                rating = 2
            """,
        },
    )
    assert dataset.name == "shop"
    assert rows(dataset) == [("k1", "a1", "rating", 5.0, 5.0), ("k1", "a2", "rating", 3.0, 6.0)]
    assert dataset.event_weights == {"rating": 2.0}


def test_a_table_without_a_column_for_the_type_can_name_one(tmp_path: Path) -> None:
    files = {
        "interactions.csv": "user,item,value\nu,a,3\n",
        "dataset.toml": '[interactions]\nevent = "purchase"\n',
    }
    assert rows(read(tmp_path, files))[0][2:4] == ("purchase", 3.0)


def test_a_file_without_a_header_and_chosen_attributes(tmp_path: Path) -> None:
    files = {
        "interactions.tsv": "u\ta\nu\tb\n",
        "items.csv": "item,title,colour,price\na,One,red,5\n",
        "dataset.toml": '[interactions]\nheader = ["user", "item"]\n[items]\nattributes = ["price"]\n',
    }
    dataset = read(tmp_path, files)
    assert len(dataset.events) == 2
    assert dataset.items["a"].attributes == {"price": 5.0}


def test_a_recognised_layout_can_be_adjusted(tmp_path: Path) -> None:
    files = {
        "ratings.csv": "userId,movieId,rating,timestamp\n1,2,5,1\n",
        "movies.csv": "movieId,title,genres\n2,Heat (1995),Crime/Drama\n",
        "dataset.toml": '[items]\nseparator = "/"\n',
    }
    dataset = read(tmp_path, files)
    assert dataset.layout == "movielens"
    assert dataset.items["2"].categories == ("Crime", "Drama")


def test_the_fingerprint_changes_with_the_content_alone(tmp_path: Path) -> None:
    first = read(tmp_path, {"interactions.csv": "user,item\nu,a\n", "notes.txt": "one"}).fingerprint
    assert read(tmp_path, {"notes.txt": "two"}).fingerprint == first
    assert read(tmp_path, {"dataset.toml": "[weights]\nview = 1\n"}).fingerprint != first
