"""MovieLens as training rows, queries with their relevant items, and a catalogue."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

LIKED_FROM = 4.0
RECENT_LIKES = 20
_HELD_OUT_ONE_IN = 5

_RATINGS = {"user_id": pa.int64(), "item_id": pa.int64(), "rating": pa.float32(), "timestamp": pa.int64()}
_ITEMS = {"item_id": pa.int64(), "title": pa.string(), "genres": pa.list_(pa.string())}
_CSV_NAMES = {"userId": "user_id", "movieId": "item_id"}
_NO_GENRE = "(no genres listed)"

_YEAR = re.compile(r"\s*\((?P<year>\d{4})(?:\s*[-–]\s*(?:\d{4})?)?\)\s*$")
_ARTICLE = r"(?P<article>The|An?|La|Les?|L'|El|L[ao]s|Il|Lo|I|Gli|Der|Die|Das|Ein|Eine|Une?|Una|Uno|Det|De|Den|En)"
_TITLE_ARTICLE = re.compile(rf"^(?P<lead>)(?P<name>[^()]+), {_ARTICLE}(?=\s\(|$)")
_OTHER_TITLE_ARTICLE = re.compile(rf"(?P<lead>\((?:a\.k\.a\. )?)(?P<name>[^()]+), {_ARTICLE}(?=\))")


@dataclass(frozen=True)
class MovieLens:
    """Likes to train on, users to evaluate, and the movies to rank.

    Args:
        train: Table. One row a like of the train part, by user and time: `user_id`; `recent_likes`, the up to 20 likes
            before this one, most recent last; `genre_profile`, for each of `genres` the share of the likes before
            this one that have it; and the columns of `items` for the movie liked.
        test: Table. One row a user who likes something in the held-out part: `user_id`; `recent_likes` and
            `genre_profile` at the end of the train part; `likes`, all likes of the train part, oldest first; `seen`,
            everything rated in it; `relevant`, what is liked in the held-out part.
        items: Table. Every movie, rated or not: `item_id`, `title` without its year, `genres`, `year` (the median
            where a title has none).
        genres: tuple of str. The names of the entries of `genre_profile`, sorted.
    """

    train: pa.Table
    test: pa.Table
    items: pa.Table
    genres: tuple[str, ...]


def load_movielens(directory: str | Path, part: Literal["test", "validation"] = "test") -> MovieLens:
    """Read a MovieLens folder, and split it by time.

    A rating of 4.0 or more is a like; a rating of any height means that the movie was seen.

    Each user's last fifth of ratings is held out, ties in time ordered by item id. One point in time for everybody
    would be nearer to a live system, but most users of MovieLens come once and rate for an hour or two: in
    ml-latest-small no such point leaves more than 32 users with 5 likes before it and a like after it; this
    rule leaves 580. A user's own future never shows; popularity and co-occurrence may come from users who
    were there later.

    Args:
        directory: str or Path. Holds `interactions.parquet` and `items.parquet`, or the `ratings.csv` and
            `movies.csv` of an unzipped ml-latest-small.
        part: str. `"validation"` forgets the held-out part and splits what remains by the same rule, so that
            settings can be chosen without a look at it. Defaults to `"test"`.

    Raises:
        FileNotFoundError: there is no such folder, or it lacks the files.
        ValueError: a file is unreadable or lacks a column, a column has another type or holds nulls, a movie stands
            twice, a rated movie is unknown, there are no likes to train on or nobody to evaluate, or `part` is another
            word.
    """
    if part not in ("test", "validation"):
        raise ValueError(f'load_movielens() takes part="test" or part="validation". Received {part!r}.')
    ratings, movies = _read_folder(Path(directory))
    items = _catalogue(movies)
    genres = tuple(sorted(set(pc.list_flatten(items["genres"]).to_pylist())))
    _check_known(ratings["item_id"].to_numpy(), items["item_id"].to_numpy())
    ratings = ratings.sort_by([("user_id", "ascending"), ("timestamp", "ascending"), ("item_id", "ascending")])
    if part == "validation":
        ratings = ratings.filter(pa.array(~_is_held_out(ratings["user_id"].to_numpy())))
    held_out = _is_held_out(ratings["user_id"].to_numpy())
    is_like = ratings["rating"].to_numpy() >= LIKED_FROM
    likes = _Likes(ratings.filter(pa.array(is_like & ~held_out)), items, genres)
    train = likes.training_rows()
    test = likes.queries(ratings.filter(pa.array(~held_out)), ratings.filter(pa.array(is_like & held_out)))
    if not (train.num_rows and test.num_rows):
        raise ValueError(
            f"load_movielens() needs likes (ratings of {LIKED_FROM} and more) on both sides of the split. Received "
            f"{train.num_rows} to train on and {test.num_rows} users to evaluate. Give users of 5 ratings and more."
        )
    return MovieLens(train, test, items, genres)


def split_title(title: str) -> tuple[str, int | None]:
    """Take a MovieLens title apart into the title as it is said, and the year (the first, of several).

    Args:
        title: str. For instance `"Matrix, The (1999)"`, which becomes `("The Matrix", 1999)`.

    Example:
        >>> split_title("Postman, The (Postino, Il) (1994)")
        ('The Postman (Il Postino)', 1994)
    """
    found = _YEAR.search(title)
    name = (title[: found.start()] if found else title).strip()
    name = _OTHER_TITLE_ARTICLE.sub(_article_first, _TITLE_ARTICLE.sub(_article_first, name))
    return name, int(found["year"]) if found else None


def _article_first(match: re.Match[str]) -> str:
    space = "" if match["article"].endswith("'") else " "
    return f"{match['lead']}{match['article']}{space}{match['name']}"


class _Likes:
    """The likes of the train part in the order of user and time; a history is a slice of them."""

    def __init__(self, likes: pa.Table, items: pa.Table, genres: tuple[str, ...]) -> None:
        self.items = items
        self.users = likes["user_id"].to_numpy()
        self.item_ids = likes["item_id"].to_numpy()
        by_id = np.argsort(items["item_id"].to_numpy())
        self.item_rows = by_id[np.searchsorted(items["item_id"].to_numpy(), self.item_ids, sorter=by_id)]
        has_genre = _has_genre(items["genres"], genres)[self.item_rows]  # (likes, genres)
        self.genre_counts = np.concatenate([np.zeros((1, len(genres)), np.int64), has_genre.cumsum(axis=0)])

    def training_rows(self) -> pa.Table:
        starts = np.searchsorted(self.users, self.users)
        columns = {"user_id": pa.array(self.users), **self._history(starts, np.arange(len(self.users)))}
        of_item = self.items.take(pa.array(self.item_rows))
        return pa.table(columns | {name: of_item[name] for name in of_item.column_names})

    def queries(self, rated: pa.Table, relevant: pa.Table) -> pa.Table:
        users = np.unique(relevant["user_id"].to_numpy())
        starts, ends = _ranges(self.users, users)
        return pa.table(
            {
                "user_id": pa.array(users),
                **self._history(starts, ends),
                "likes": _slices(self.item_ids, starts, ends),
                "seen": _slices(rated["item_id"].to_numpy(), *_ranges(rated["user_id"].to_numpy(), users)),
                "relevant": _slices(relevant["item_id"].to_numpy(), *_ranges(relevant["user_id"].to_numpy(), users)),
            }
        )

    def _history(self, starts: np.ndarray, ends: np.ndarray) -> dict[str, pa.Array]:
        counts = self.genre_counts[ends] - self.genre_counts[starts]
        shares = counts / np.maximum(ends - starts, 1)[:, None]
        width = self.genre_counts.shape[1]
        return {
            "recent_likes": _slices(self.item_ids, np.maximum(starts, ends - RECENT_LIKES), ends),
            "genre_profile": pa.FixedSizeListArray.from_arrays(pa.array(shares.ravel().astype(np.float32)), width),
        }


def _is_held_out(users: np.ndarray) -> np.ndarray:
    starts, ends = _ranges(users, users)
    return np.arange(len(users)) >= ends - (ends - starts) // _HELD_OUT_ONE_IN


def _ranges(sorted_users: np.ndarray, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.searchsorted(sorted_users, users), np.searchsorted(sorted_users, users, side="right")


def _slices(values: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> pa.ListArray:
    lengths = ends - starts
    offsets = np.concatenate([[0], lengths.cumsum()])
    positions = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values[positions]))


def _has_genre(lists: pa.ChunkedArray, genres: tuple[str, ...]) -> np.ndarray:
    has = np.zeros((len(lists), len(genres)), np.int64)  # (items, genres)
    columns = np.searchsorted(np.array(genres, dtype=str), np.array(pc.list_flatten(lists).to_pylist(), dtype=str))
    has[pc.list_parent_indices(lists).to_numpy(), columns] = 1
    return has


def _check_known(rated: np.ndarray, item_ids: np.ndarray) -> None:
    unknown = np.setdiff1d(rated, item_ids)
    if len(unknown):
        raise ValueError(
            f"Every rated movie must be among the items. Not there: {unknown[:5].tolist()}"
            f"{' and others' if len(unknown) > 5 else ''}. Take both files from one MovieLens release."
        )


def _catalogue(movies: pa.Table) -> pa.Table:
    ids, counts = np.unique(movies["item_id"].to_numpy(), return_counts=True)
    if (counts > 1).any():
        twice = ids[counts > 1][:5].tolist()
        raise ValueError(f"Every movie must stand once among the items. More than once: {twice}. Drop the repeats.")
    titles, years = zip(*map(split_title, movies["title"].to_pylist()), strict=True)
    known = [year for year in years if year is not None]
    median = float(np.median(known)) if known else 0.0
    genres = [[genre for genre in row if genre not in ("", _NO_GENRE)] for row in movies["genres"].to_pylist()]
    return pa.table(
        {
            "item_id": movies["item_id"],
            "title": pa.array(titles, pa.string()),
            "genres": pa.array(genres, _ITEMS["genres"]),
            "year": pa.array([median if year is None else year for year in years], pa.float32()),
        }
    )


def _read_folder(directory: Path) -> tuple[pa.Table, pa.Table]:
    if not directory.is_dir():
        raise FileNotFoundError(f"There is no folder {directory}. Give the path of an unzipped MovieLens folder.")
    for ratings, movies in (("interactions.parquet", "items.parquet"), ("ratings.csv", "movies.csv")):
        if (directory / ratings).is_file() and (directory / movies).is_file():
            return _read_table(directory / ratings, _RATINGS), _read_table(directory / movies, _ITEMS)
    present = sorted(path.name for path in directory.iterdir())
    raise FileNotFoundError(
        f"{directory} must hold interactions.parquet and items.parquet, or ratings.csv and movies.csv. It holds "
        f"{', '.join(present[:8]) or 'nothing'}{', ...' if len(present) > 8 else ''}. "
        "Give an unzipped ml-latest-small, ml-20m or ml-25m; ml-1m's .dat files and ml-100k's u.data are not read."
    )


def _read_table(path: Path, columns: dict[str, pa.DataType]) -> pa.Table:
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else pyarrow.csv.read_csv(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path} can't be read: {str(error).splitlines()[0]} Download or convert it again.") from error
    table = table.rename_columns([_CSV_NAMES.get(name, name) for name in table.column_names])
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise ValueError(
            f"{path} must have the columns {', '.join(columns)}. It has {', '.join(table.column_names)}: "
            f"{', '.join(lacking)} not found. Rename or add."
        )
    if not table.num_rows:
        raise ValueError(f"{path} has no row. Give a complete MovieLens folder.")
    return pa.table({name: _column(table[name], dtype, name, path) for name, dtype in columns.items()})


def _column(values: pa.ChunkedArray, dtype: pa.DataType, name: str, path: Path) -> pa.ChunkedArray:
    if values.null_count:
        raise ValueError(f"Column {name} of {path} must have no nulls. It has {values.null_count}. Fill or drop them.")
    if pa.types.is_list(dtype) and pa.types.is_string(values.type):
        return pc.split_pattern(values, "|")
    try:
        return values.cast(dtype)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(
            f"Column {name} of {path} must be {dtype}. It is {values.type}: {str(error).splitlines()[0]} Convert it."
        ) from error
