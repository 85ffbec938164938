import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfdual.demo.movielens import load_movielens, split_title

MOVIES = [
    (10, "Heat, The (1995)", ["Action", "Crime"]),
    (20, "Matrix, The (1999)", ["Action", "Sci-Fi"]),
    (30, "Alien (1979)", ["Sci-Fi"]),
    (40, "Nowhere", []),
    (50, "Unrated (2001)", ["Drama"]),
]
# User 1 rates 10, 30 (low), 20, 40, and last 50; user 2 likes nothing last; 30 and 10 of user 2 share a timestamp.
RATINGS = [
    (1, 50, 4.5, 500),
    (1, 20, 5.0, 300),
    (1, 10, 4.0, 100),
    (1, 40, 4.0, 400),
    (1, 30, 3.5, 200),
    (2, 30, 4.0, 100),
    (2, 10, 5.0, 100),
    (2, 20, 4.0, 50),
    (2, 40, 1.0, 900),
    (2, 50, 1.0, 901),
]


def write_parquet(folder: Path, ratings=RATINGS, movies=MOVIES) -> Path:
    user, item, rating, timestamp = zip(*ratings, strict=True)
    columns = {"user_id": user, "item_id": item, "rating": pa.array(rating, pa.float32()), "timestamp": timestamp}
    pq.write_table(pa.table(columns), folder / "interactions.parquet")
    ids, titles, genres = zip(*movies, strict=True)
    genres = pa.array(genres, pa.list_(pa.string()))
    pq.write_table(pa.table({"item_id": ids, "title": titles, "genres": genres}), folder / "items.parquet")
    return folder


def write_csv(folder: Path) -> Path:
    rows = [",".join(map(str, row)) for row in RATINGS]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *rows]))
    rows = [f'{item},"{title}",{"|".join(genres) or "(no genres listed)"}' for item, title, genres in MOVIES]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *rows]))
    return folder


def long_history(folder: Path, num_ratings: int) -> Path:
    movies = [(item, f"Film {item} (2000)", ["Drama"]) for item in range(1, num_ratings + 1)]
    return write_parquet(folder, [(7, item, 5.0, 1000 + item) for item, _, _ in movies], movies)


@pytest.fixture(scope="module")
def real_folder() -> Path:
    data = os.environ.get("TFDUAL_DATA", Path(__file__).parents[3] / "shared" / "data")
    folder = Path(data) / "movielens-latest-small"
    if not folder.is_dir():
        pytest.skip(f"No MovieLens at {folder}: set TFDUAL_DATA to a folder that holds movielens-latest-small.")
    return folder


def test_a_train_row_is_a_like_with_what_came_before_it(tmp_path):
    data = load_movielens(write_parquet(tmp_path))
    assert data.genres == ("Action", "Crime", "Drama", "Sci-Fi")
    first_user = [row for row in data.train.to_pylist() if row["user_id"] == 1]
    assert [(row["item_id"], row["recent_likes"], row["genre_profile"]) for row in first_user] == [
        (10, [], [0.0, 0.0, 0.0, 0.0]),
        (20, [10], [1.0, 1.0, 0.0, 0.0]),
        (40, [10, 20], [1.0, 0.5, 0.0, 0.5]),
    ]
    assert first_user[1]["title"] == "The Matrix"
    assert first_user[1]["genres"] == ["Action", "Sci-Fi"]
    assert first_user[1]["year"] == 1999.0


def test_the_last_fifth_of_a_users_ratings_is_what_is_searched_for(tmp_path):
    data = load_movielens(write_parquet(tmp_path))
    assert data.test.to_pylist() == [
        {
            "user_id": 1,
            "recent_likes": [10, 20, 40],
            "genre_profile": pytest.approx([2 / 3, 1 / 3, 0.0, 1 / 3]),
            "likes": [10, 20, 40],
            "seen": [10, 30, 20, 40],
            "relevant": [50],
        }
    ]


def test_a_user_who_likes_nothing_held_out_is_not_evaluated(tmp_path):
    assert 2 not in load_movielens(write_parquet(tmp_path)).test["user_id"].to_pylist()


def test_ties_in_time_are_ordered_by_item_id(tmp_path):
    rows = load_movielens(write_parquet(tmp_path)).train.to_pylist()
    assert [row["item_id"] for row in rows if row["user_id"] == 2] == [20, 10, 30]


def test_four_stars_are_a_like_and_less_is_only_seen(tmp_path):
    ratings = [(1, 10, 4.0, 1), (1, 20, 3.5, 2), (1, 30, 4.0, 3), (1, 40, 4.0, 4), (1, 50, 4.0, 5)]
    data = load_movielens(write_parquet(tmp_path, ratings))
    assert data.train["item_id"].to_pylist() == [10, 30, 40]
    assert data.test["seen"].to_pylist() == [[10, 20, 30, 40]]


def test_recent_likes_never_hold_the_target_or_later_items(tmp_path):
    data = load_movielens(long_history(tmp_path, 40))
    for row in data.train.to_pylist():
        assert row["recent_likes"] == list(range(max(1, row["item_id"] - 20), row["item_id"]))


def test_a_long_history_keeps_its_twenty_last_likes(tmp_path):
    data = load_movielens(long_history(tmp_path, 40))
    row = data.test.to_pylist()[0]
    assert row["recent_likes"] == list(range(13, 33))
    assert row["likes"] == list(range(1, 33))
    assert row["relevant"] == list(range(33, 41))


def test_validation_never_sees_the_test_part(tmp_path):
    data = load_movielens(long_history(tmp_path, 40), part="validation")
    assert data.train["item_id"].to_pylist() == list(range(1, 27))
    assert data.test["relevant"].to_pylist() == [list(range(27, 33))]


def test_the_catalogue_holds_every_movie_and_the_median_where_there_is_no_year(tmp_path):
    items = load_movielens(write_parquet(tmp_path)).items
    assert items["item_id"].to_pylist() == [10, 20, 30, 40, 50]
    assert items["title"].to_pylist() == ["The Heat", "The Matrix", "Alien", "Nowhere", "Unrated"]
    assert items["year"].to_pylist() == [1995.0, 1999.0, 1979.0, 1997.0, 2001.0]
    assert items.schema.field("year").type == pa.float32()
    assert items["genres"].to_pylist()[3] == []


def test_the_csv_release_gives_the_same_tables(tmp_path):
    (tmp_path / "csv").mkdir()
    from_csv = load_movielens(write_csv(tmp_path / "csv"))
    from_parquet = load_movielens(write_parquet(tmp_path))
    for name in ("train", "test", "items"):
        assert getattr(from_csv, name).equals(getattr(from_parquet, name)), name
    assert from_csv.genres == from_parquet.genres


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Toy Story (1995)", ("Toy Story", 1995)),
        ("Walk in the Clouds, A (1995)", ("A Walk in the Clouds", 1995)),
        ("Apartment, The (Appartement, L') (1996)", ("The Apartment (L'Appartement)", 1996)),
        ("Seven (a.k.a. Seven Sins, The) (1995)", ("Seven (a.k.a. The Seven Sins)", 1995)),
        ("Paris, Texas (1984) ", ("Paris, Texas", 1984)),
        ("Corrina, Corrina (1994)", ("Corrina, Corrina", 1994)),
        ("2001: A Space Odyssey (1968)", ("2001: A Space Odyssey", 1968)),
        ("Death Note (2006–2007)", ("Death Note", 2006)),
        ("Black Mirror", ("Black Mirror", None)),
    ],
)
def test_a_title_reads_as_it_is_said(title, expected):
    assert split_title(title) == expected


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        load_movielens(tmp_path / "nowhere")


def test_a_folder_without_the_files_says_what_it_holds(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"interactions\.parquet.*ratings\.csv.*notes\.txt"):
        load_movielens(tmp_path)


def test_a_missing_column_is_named(tmp_path):
    write_parquet(tmp_path)
    file = tmp_path / "interactions.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["timestamp"]), file)
    with pytest.raises(ValueError, match="timestamp not found"):
        load_movielens(tmp_path)


def test_a_column_of_another_type_is_named(tmp_path):
    write_parquet(tmp_path)
    file = tmp_path / "interactions.parquet"
    table = pq.read_table(file)
    words = pa.array(["good"] * table.num_rows)
    pq.write_table(table.set_column(2, "rating", words), file)
    with pytest.raises(ValueError, match=r"Column rating .* must be float"):
        load_movielens(tmp_path)


def test_a_null_is_refused(tmp_path):
    write_parquet(tmp_path)
    file = tmp_path / "interactions.parquet"
    table = pq.read_table(file)
    times = pa.array([None] + [1] * (table.num_rows - 1), pa.int64())
    pq.write_table(table.set_column(3, "timestamp", times), file)
    with pytest.raises(ValueError, match=r"Column timestamp .* no nulls"):
        load_movielens(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no parquet at all"])
def test_an_unreadable_file_is_named(tmp_path, content):
    write_parquet(tmp_path)
    (tmp_path / "items.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"items\.parquet can't be read"):
        load_movielens(tmp_path)


def test_an_empty_file_is_named(tmp_path):
    write_csv(tmp_path)
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n")
    with pytest.raises(ValueError, match=r"ratings\.csv has no row"):
        load_movielens(tmp_path)


def test_a_rated_movie_that_is_not_in_the_catalogue_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"Not there: \[99\]"):
        load_movielens(write_parquet(tmp_path, [*RATINGS, (1, 99, 3.0, 1)]))


def test_a_movie_that_stands_twice_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"More than once: \[10\]"):
        load_movielens(write_parquet(tmp_path, movies=[*MOVIES, MOVIES[0]]))


def test_too_few_ratings_to_hold_any_out_are_refused(tmp_path):
    with pytest.raises(ValueError, match="both sides of the split"):
        load_movielens(write_parquet(tmp_path, RATINGS[:4]))


def test_another_part_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'dev'"):
        load_movielens(tmp_path, part="dev")


def test_real_counts_add_up_to_the_release(real_folder):
    data = load_movielens(real_folder)
    assert (data.train.num_rows, data.test.num_rows, data.items.num_rows) == (39348, 591, 9742)
    assert sum(map(len, data.test["relevant"].to_pylist())) + data.train.num_rows == 48580  # ratings of 4.0 and more
    assert len(data.genres) == 19
    assert sum(data.items["year"].to_numpy() == np.median(data.items["year"])) >= 12


@pytest.mark.parametrize("part", ["test", "validation"])
def test_nothing_relevant_was_seen_or_learnt_from(real_folder, part):
    data = load_movielens(real_folder, part)
    likes = {}
    for user, item in zip(data.train["user_id"].to_pylist(), data.train["item_id"].to_pylist(), strict=True):
        likes.setdefault(user, []).append(item)
    for row in data.test.to_pylist():
        assert row["relevant"]
        assert not set(row["relevant"]) & set(row["seen"])
        assert row["likes"] == likes.get(row["user_id"], [])
        assert row["recent_likes"] == row["likes"][-20:]


def test_every_real_rating_before_the_split_is_older(real_folder):
    times = {}
    for row in pq.read_table(real_folder / "interactions.parquet").to_pylist():
        times[row["user_id"], row["item_id"]] = row["timestamp"]
    for row in load_movielens(real_folder).test.to_pylist():
        last_seen = max(times[row["user_id"], item] for item in row["seen"])
        assert last_seen <= min(times[row["user_id"], item] for item in row["relevant"])
