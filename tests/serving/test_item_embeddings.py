"""Item embeddings as Parquet: what is written, what a second run keeps, and what is refused."""

import itertools
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import tfdual
from tfdual import Tags
from tfdual.serving import ItemEmbeddings, embed_items
from tfdual.serving.folder_lock import locked

KILLED = Path(__file__).with_name("killed_embedding.py")
PART = 25
MISSING = {"string": (b"", b"x"), "int64": (-1, 5), "float32": (np.nan, 0.5)}  # mark, a value


class Counting:
    """The model, with a count of the rows that it embedded."""

    def __init__(self, model: tfdual.TwoTowerModel) -> None:
        self.item_id, self.item_columns = model.item_id, model.item_columns
        self.embedding_space, self.rows = model.embedding_space, 0
        self._model = model

    def compiled_encode_item(self, inputs: dict) -> tf.Tensor:
        self.rows += int(inputs[self.item_id].shape[0])
        return self._model.compiled_encode_item(inputs)


@pytest.fixture
def counting(model: tfdual.TwoTowerModel) -> Counting:
    return Counting(model)


@pytest.fixture(scope="module")
def whole(
    model: tfdual.TwoTowerModel,
    items: tfdual.Rows,
    prep: tfdual.Preprocessor,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Sixty items in parts of 25, 25 and 10."""
    folder = tmp_path_factory.mktemp("embeddings") / "items"
    embed_items(model, items, prep, folder, attributes=["title"], shard_rows=PART)
    return folder


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "items")


def again(
    model: object, items: tfdual.Rows, prep: tfdual.Preprocessor, folder: Path, **changes: object
) -> ItemEmbeddings:
    return embed_items(model, items, prep, folder, **{"attributes": ["title"], "shard_rows": PART} | changes)


def unfinished(folder: Path, kept: int) -> None:
    """As a kill leaves a folder: some parts listed, one in the making."""
    told = json.loads((folder / "embeddings.json").read_text())
    told |= {"complete": False, "parts": dict(itertools.islice(told["parts"].items(), kept))}
    (folder / "embeddings.json").write_text(json.dumps(told))
    for path in sorted(folder.glob("part-*"))[kept:]:
        path.unlink()
    (folder / f".part-{kept:05}.parquet.writing").write_bytes(b"PAR1 half")


def test_the_files_hold_ids_attributes_and_what_the_tower_gives(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, whole: Path
) -> None:
    (batch,) = items.batch(1000)
    table = pa.concat_tables(pq.read_table(path, partitioning=None) for path in sorted(whole.glob("*.parquet")))
    assert sorted(path.name for path in whole.iterdir()) == [
        "embeddings.json",
        *(f"part-{number:05}.parquet" for number in range(3)),
    ]
    assert table.column_names == ["item_id", "title", "embedding"]
    assert table.schema.field("embedding").type.list_size == 8
    assert table.schema.field("embedding").type.value_type == pa.float32()
    assert table["item_id"].to_pylist() == batch["item_id"].numpy().tolist()
    assert table["title"].to_pylist() == [title.decode() for title in batch["title"].numpy()]
    expected = model.encode_item(prep(batch)).numpy()
    np.testing.assert_allclose(np.array(table["embedding"].to_pylist()), expected, rtol=1e-5, atol=1e-6)


def test_they_are_read_back_a_part_at_a_time(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, whole: Path
) -> None:
    held = ItemEmbeddings(whole)
    (batch,) = items.batch(1000)
    blocks = list(held.blocks())
    assert [block.shape for block in blocks] == [(25, 8), (25, 8), (10, 8)]
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    np.testing.assert_allclose(np.concatenate(blocks), model.encode_item(prep(batch)).numpy(), rtol=1e-5, atol=1e-6)
    assert (len(held), held.dim, held.item_id, held.attribute_names) == (60, 8, "item_id", ("title",))
    assert held.ids.dtype == np.int64
    assert held.ids.tolist() == batch["item_id"].numpy().tolist()
    assert held.attributes()["title"].tolist() == batch["title"].numpy().tolist()
    with pytest.raises(ValueError, match=r"no attributes \['year'\]. It has \['title'\]"):
        held.attributes(["year"])


def test_an_index_built_from_the_blocks_finds_what_the_retriever_finds(
    retriever: tfdual.Retriever, whole: Path, queries: dict[str, list]
) -> None:
    held = ItemEmbeddings(whole)
    found = tfdual.BruteForce().build(held.blocks(), held.ids).search(retriever.embed_query(queries), k=5)
    expected = retriever.search(queries, k=5)
    np.testing.assert_allclose(found.scores, expected["score"], atol=1e-5)
    np.testing.assert_array_equal(found.ids, expected["id"])


def test_strings_are_ids_as_well(tmp_path: Path) -> None:
    schema = tfdual.Schema([tfdual.ColumnSchema("item", [tfdual.Tags.ITEM_ID], dtype="string")])
    rows = tfdual.read(pa.table({"item": ["é1", "x€", "z"]}), schema)
    model = SimpleNamespace(
        item_id="item",
        item_columns=["item"],
        embedding_space=lambda prep: "",
        compiled_encode_item=lambda ready: tf.ones((len(ready["item"]), 2)),
    )
    held = embed_items(model, rows, tfdual.Preprocessor(schema).adapt(rows), tmp_path / "items", shard_rows=2)
    assert [value.decode() for value in held.ids] == ["é1", "x€", "z"]


def test_a_missing_attribute_is_stored_as_a_retriever_shows_it(tmp_path: Path) -> None:
    columns = [tfdual.ColumnSchema("item", [tfdual.Tags.ITEM_ID])]
    nullable = {"nullable": True}
    columns += [
        tfdual.ColumnSchema(name, [tfdual.Tags.CATEGORICAL], nullable, dtype=name) for name in ("string", "int64")
    ]
    columns += [tfdual.ColumnSchema("float32", properties=nullable, dtype="float32")]
    table = pa.table({"item": [7, 8], **{name: [None, value] for name, (_, value) in MISSING.items()}})
    rows = tfdual.read(table, tfdual.Schema(columns))
    prep = tfdual.Preprocessor(tfdual.Schema(columns[:1])).adapt(rows)
    model = SimpleNamespace(
        item_id="item",
        item_columns=["item"],
        embedding_space=lambda prep: "",
        compiled_encode_item=lambda ready: tf.ones((len(ready["item"]), 2)),
    )
    held = embed_items(model, rows, prep, tmp_path / "items", attributes=list(MISSING))
    for name, (missing, value) in MISSING.items():
        np.testing.assert_array_equal(
            held.attributes()[name], np.array([missing, value], held.attributes()[name].dtype)
        )


def test_a_column_that_neither_the_tower_nor_an_attribute_reads_may_change(
    counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, tmp_path: Path
) -> None:
    schema = tfdual.Schema([*items.schema, tfdual.ColumnSchema("stock")])
    for stock in (1, 2):
        rows = tfdual.read(items.to_arrow().append_column("stock", pa.array([stock] * len(items))), schema)
        again(counting, rows, prep, tmp_path / "items")
    assert counting.rows == len(items)


@pytest.mark.parametrize("kept, embedded", [(0, 60), (1, 35), (2, 10), (3, 0)])
def test_a_second_run_embeds_what_is_missing_alone(
    kept: int,
    embedded: int,
    counting: Counting,
    items: tfdual.Rows,
    prep: tfdual.Preprocessor,
    whole: Path,
    copied: Path,
) -> None:
    unfinished(copied, kept)
    with pytest.raises(ValueError, match=f"not complete: {kept} of 3 parts.*embed_items"):
        ItemEmbeddings(copied)
    again(counting, items, prep, copied)
    assert counting.rows == embedded
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-9])])
def test_a_damaged_part_is_refused_and_made_anew_alone(
    damage: object, counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, whole: Path, copied: Path
) -> None:
    damage(copied / "part-00000.parquet")
    with pytest.raises(ValueError, match=r"damaged: part-00000.parquet .*embed_items.* again"):
        ItemEmbeddings(copied)
    again(counting, items, prep, copied)
    assert counting.rows == PART
    assert (copied / "part-00000.parquet").read_bytes() == (whole / "part-00000.parquet").read_bytes()


def test_bytes_that_changed_are_told_before_they_are_used(copied: Path) -> None:
    content = bytearray((copied / "part-00001.parquet").read_bytes())
    content[200] ^= 1
    (copied / "part-00001.parquet").write_bytes(content)
    blocks = ItemEmbeddings(copied).blocks()
    next(blocks)
    with pytest.raises(ValueError, match=r"part-00001.parquet has other bytes than were written"):
        next(blocks)


def test_a_folder_of_another_model_is_refused(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, copied: Path
) -> None:
    before = {path: path.read_bytes() for path in copied.iterdir()}
    other = Counting(model)
    other.embedding_space = lambda prep: "v2"
    space = model.embedding_space(prep)
    with pytest.raises(
        ValueError, match=rf"of another model, in the space '{space}'.*This would be 'v2'.*another folder"
    ):
        again(other, items, prep, copied)
    assert {path: path.read_bytes() for path in copied.iterdir()} == before


def test_an_index_of_them_is_served_without_embedding_again(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, prep: tfdual.Preprocessor, copied: Path, queries: dict[str, list]
) -> None:
    held = ItemEmbeddings(copied)
    index = tfdual.BruteForce().build(held.blocks(), held.ids, held.space)
    found = model.to_retriever(items, index, prep).search(queries, k=7)
    wanted = model.to_retriever(items, tfdual.BruteForce(), prep).search(queries, k=7)
    assert found["id"].tolist() == wanted["id"].tolist()


def test_other_items_are_refused_by_their_values_even_where_columns_and_number_are_the_same(
    counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, copied: Path
) -> None:
    table = items.to_arrow()
    titles = table["title"].to_pylist()
    titles[30] = "Another title"
    changed = table.set_column(table.column_names.index("title"), "title", pa.array(titles))
    with pytest.raises(ValueError, match=r"part-00001.parquet holds embeddings of other items.*another folder"):
        again(counting, tfdual.read(changed, items.schema), prep, copied)
    with pytest.raises(ValueError, match=r"embeddings of other items, of the source"):
        again(counting, tfdual.read(table.slice(1), items.schema), prep, copied)
    assert counting.rows == 0


def test_items_that_are_preprocessed_otherwise_are_refused(
    counting: Counting, items: tfdual.Rows, rows: tfdual.Rows, copied: Path
) -> None:
    fewer = tfdual.Preprocessor(rows.schema).adapt(tfdual.read(rows.to_arrow().slice(0, 50), rows.schema))
    with pytest.raises(ValueError, match="embeddings of another model, in the space"):
        again(counting, items, fewer, copied)


@pytest.mark.parametrize(
    "changes, message", [({"attributes": []}, "the attributes"), ({"shard_rows": 30}, "the rows a part 25")]
)
def test_other_arguments_than_before_are_told(
    changes: dict, message: str, counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, copied: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        again(counting, items, prep, copied, **changes)


def test_a_foreign_or_broken_folder_is_refused_and_left_alone(
    counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, copied: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(FileNotFoundError, match="no folder"):
        ItemEmbeddings(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"holds no embeddings\.json"):
        ItemEmbeddings(foreign)
    with pytest.raises(ValueError, match=r"holds other files, such as thesis\.txt"):
        again(counting, items, prep, foreign)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]
    told = (copied / "embeddings.json").read_text()
    for text, message in {
        "{": "is damaged",
        "[]": "is not of format",
        told.replace('"version": 1', '"version": 9'): "has 9",
        told.replace('"sha256"', '"sha1"'): "is damaged",
    }.items():
        (copied / "embeddings.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            ItemEmbeddings(copied)


def test_two_processes_do_not_write_one_folder(
    counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, tmp_path: Path
) -> None:
    with locked(tmp_path), pytest.raises(ValueError, match="Another process embeds items into"):
        again(counting, items, prep, tmp_path)


def test_what_cannot_be_embedded_is_refused_before_anything_is_written(
    model: tfdual.TwoTowerModel, items: tfdual.Rows, rows: tfdual.Rows, prep: tfdual.Preprocessor, tmp_path: Path
) -> None:
    folder = tmp_path / "items"
    with pytest.raises(TypeError, match=r"raw rows of `tfdual\.read`"):
        embed_items(model, items.batch(5), prep, folder)
    with pytest.raises(ValueError, match="lack their id, the column 'item_id'"):
        embed_items(model, items.select(items.schema.select_by_name("title")), prep, folder)
    with pytest.raises(ValueError, match=r"lack the columns \['title'\]"):
        embed_items(model, items.select(items.schema.select_by_name("item_id")), prep, folder)
    with pytest.raises(ValueError, match="attribute 'history' must be a single-valued column"):
        embed_items(model, rows, prep, folder, attributes=["history"])
    with pytest.raises(ValueError, match=r"\['item_id'\] would stand twice"):
        embed_items(model, items, prep, folder, attributes=["item_id"])
    with pytest.raises(ValueError, match="at least 1 row"):
        embed_items(model, items, prep, folder, shard_rows=0)
    assert not folder.exists()


def test_a_preprocessor_that_knows_more_items_than_the_model_is_refused(tmp_path: Path) -> None:
    schema = tfdual.Schema([tfdual.ColumnSchema("user", [Tags.USER_ID]), tfdual.ColumnSchema("item", [Tags.ITEM_ID])])
    rows = tfdual.read({"user": [1, 2], "item": [5, 6]}, schema)
    prep = tfdual.Preprocessor(schema).adapt(rows)
    model = tfdual.TwoTowerModel(tfdual.TwoTowerBlock(prep.schema, tfdual.MLPBlock([4])))
    prep.adapt(tfdual.read({"user": [1, 2], "item": [7, 8]}, schema))
    with pytest.raises(ValueError, match="made for 3 ids of the column 'item', and the preprocessor gives 5"):
        embed_items(model, rows, prep, tmp_path / "items")
    assert not (tmp_path / "items").exists()


def test_an_embedding_that_is_not_finite_stops_the_run_and_names_the_item(
    counting: Counting, items: tfdual.Rows, prep: tfdual.Preprocessor, tmp_path: Path
) -> None:
    def broken(ready: dict) -> tf.Tensor:
        given = counting.compiled_encode_item(ready)
        return tf.where(tf.range(len(given))[:, None] == 3, np.nan, given) if counting.rows > PART else given

    told = {name: getattr(counting, name) for name in ("item_id", "item_columns", "embedding_space")}
    model = SimpleNamespace(**told, compiled_encode_item=broken)
    wrong = items.take(PART + 4)[-1]["item_id"]
    with pytest.raises(ValueError, match=f"item {wrong} holds NaN"):
        again(model, items, prep, tmp_path / "items")
    assert sorted(path.name for path in (tmp_path / "items").iterdir()) == ["embeddings.json", "part-00000.parquet"]


def test_a_full_disk_leaves_whole_parts_and_nothing_half(tmp_path: Path) -> None:
    folder = tmp_path / "items"
    command = [sys.executable, KILLED, "full", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "OSError\n", done.stderr[-2000:]
    assert sorted(path.name for path in folder.iterdir()) == [
        "embeddings.json",
        "part-00000.parquet",
        "part-00001.parquet",
    ]
    told = json.loads((folder / "embeddings.json").read_text())
    assert (list(told["parts"]), told["complete"]) == (["part-00000.parquet", "part-00001.parquet"], False)


def test_a_progress_bar_is_shown_where_it_is_wanted(
    model: tfdual.TwoTowerModel,
    items: tfdual.Rows,
    prep: tfdual.Preprocessor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    again(model, items, prep, tmp_path / "silent")
    assert capsys.readouterr() == ("", "")
    again(model, items, prep, tmp_path / "shown", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Embedding items" in err


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder of many parts that nothing disturbed, and the rows that it took."""
    folder = tmp_path_factory.mktemp("undisturbed") / "items"
    return folder, run_once(folder)


def run_once(folder: Path) -> int:
    """Embed in another process; how many rows it embedded."""
    done = subprocess.run(
        [sys.executable, KILLED, "run", folder], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return sum(map(int, done.stdout.split()))


@pytest.mark.slow
def test_a_run_killed_at_random_moments_ends_with_the_same_files_and_computes_a_part_twice_at_most(
    undisturbed: tuple[Path, int], tmp_path: Path
) -> None:
    expected, all_rows = undisturbed
    chance, folder, kills, seen = random.Random(0), tmp_path / "items", 0, []
    while kills < 6:
        with subprocess.Popen(
            [sys.executable, KILLED, "slow", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as run:
            wanted = chance.randint(1, 12)
            embedded = [int(run.stdout.readline()) for _ in range(wanted)]
            time.sleep(chance.uniform(0, 0.03))
            run.send_signal(signal.SIGKILL)
            embedded += [int(line) for line in run.stdout.read().split()]
        assert run.returncode == -signal.SIGKILL
        kept = json.loads((folder / "embeddings.json").read_text())["parts"]
        listed = sum(part["rows"] for part in kept.values())
        lost = sum(embedded) + (seen[-1] if seen else 0) - listed
        assert 0 <= lost <= 4 * 4_096
        seen.append(listed)
        kills += 1
    assert seen == sorted(seen)
    assert 0 < seen[-1] < all_rows
    assert run_once(folder) == all_rows - seen[-1]
    for path in expected.glob("*.parquet"):
        assert (folder / path.name).read_bytes() == path.read_bytes()
    ours, theirs = ItemEmbeddings(folder), ItemEmbeddings(expected)
    np.testing.assert_array_equal(np.concatenate(list(ours.blocks())), np.concatenate(list(theirs.blocks())))
    np.testing.assert_array_equal(ours.ids, theirs.ids)
