"""Recommend movies from what somebody liked."""

from pathlib import Path
from typing import Literal

import keras
import numpy as np
import pyarrow as pa

from tfdual.demo.collaborative_baselines import item_to_item_rank, popularity_rank
from tfdual.demo.movielens import MovieLens, load_movielens
from tfdual.demo.recipe import Recipe
from tfdual.features import EmbeddingOptions
from tfdual.fusion import WeightedSumFusion
from tfdual.models import TwoTowerModel
from tfdual.preprocessing import HashedText
from tfdual.schema import ColumnSchema, Schema, Tags
from tfdual.towers import TwoTowerBlock

DIM = 384
MOVIES_OF_A_QUESTION = {"liked The Matrix, Blade Runner and Alien": [2571, 541, 1214]}


def schema(genres: int) -> Schema:
    """Query: a user, what they liked last, and their genres. Item: a movie."""
    return Schema(
        [
            ColumnSchema("user_id", [Tags.USER_ID]),
            ColumnSchema("recent_likes", [Tags.USER, Tags.SEQUENCE], is_list=True),
            ColumnSchema("genre_profile", [Tags.USER, Tags.EMBEDDING], dtype="float32", dims=(None, genres)),
            ColumnSchema("item_id", [Tags.ITEM_ID]),
            ColumnSchema("title", [Tags.ITEM, Tags.TEXT], dtype="string"),
            ColumnSchema("genres", [Tags.ITEM, Tags.CATEGORICAL], dtype="string", is_list=True),
            ColumnSchema("year", [Tags.ITEM, Tags.CONTINUOUS], dtype="float32"),
        ]
    )


def build(ready: Schema) -> TwoTowerModel:
    """Both towers add up vectors. A movie liked and a movie found have tables of their own: that ranks better here."""
    towers = TwoTowerBlock(
        ready,
        query_tower=keras.layers.Identity(),
        embedding_options=EmbeddingOptions({"item_id": DIM, "recent_likes": DIM}, embedding_dim_default=16),
        fusion=WeightedSumFusion(DIM),
        post="l2-norm",
    )
    return TwoTowerModel(towers, temperature=0.2)


def movielens_recipe(directory: str | Path, part: Literal["test", "validation"] = "test") -> Recipe:
    """Read a MovieLens folder; each user's last ratings are held out.

    Args:
        directory: path of ml-latest-small, or of its Parquet form.
        part: str. `"validation"` leaves the test part untouched. Defaults to `"test"`.
    """
    data = load_movielens(directory, part)
    first = [genres[0] if genres else "none" for genres in data.items.column("genres").to_pylist()]
    with_category = data.items.append_column("first_genre", pa.array(first))
    seen = data.test.column("seen").to_pylist()
    likes, corpus = data.train.column("item_id").to_numpy(), data.items.column("item_id").to_numpy()
    users, histories = data.train.column("user_id").to_numpy(), data.test.column("likes").to_pylist()
    return Recipe(
        name="movielens",
        schema=schema(len(data.genres)),
        item_id="item_id",
        train=data.train,
        queries=data.test,
        items=with_category,
        build=build,
        transforms={"title": HashedText(8_192)},
        epochs=6,
        batch_size=1024,
        learning_rate=2e-3,
        baselines={
            "popularity": lambda k: popularity_rank(likes, corpus, seen, k),
            "item to item": lambda k: item_to_item_rank(users, likes, corpus, histories, seen, k),
        },
        headline="ndcg@10",
        category="first_genre",
        attributes=("title", "year"),
        questions={name: _question(data, ids) for name, ids in MOVIES_OF_A_QUESTION.items()},
    )


def _question(data: MovieLens, liked: list[int]) -> dict[str, list]:
    """Somebody the model doesn't know, who liked these movies."""
    genres = dict(zip(data.items.column("item_id").to_pylist(), data.items.column("genres").to_pylist(), strict=True))
    profile = [float(np.mean([genre in genres.get(movie, ()) for movie in liked])) for genre in data.genres]
    return {"user_id": [-1], "recent_likes": [liked], "genre_profile": [profile]}
