# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Quickstart: search the Python API by what a function does
#
# `make demo` does this for every package that is installed. Here are its steps, one by one, on a few packages, in
# about a minute: rows, a schema, two towers, training, evaluation against the whole corpus, and one SavedModel that
# takes raw text and gives names.
#
# It needs `pip install ".[demo,notebook]"` in a clone, and no download.

# %%
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes: off

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pyarrow.parquet as pq

import tfdual
from tfdual import ColumnSchema, Schema, Tags
from tfdual.demo import python_api

keras.utils.set_random_seed(0)

# %% [markdown]
# ## Rows
#
# The source files of some packages are parsed; nothing of them is imported. One row is one public function, class or
# method that has a docstring. Its first sentence is the query. All the rest is the item: the words of its name, its
# package, module and parameters, and what the docstring says after the first sentence.

# %%
STANDARD_LIBRARY = [
    "asyncio",
    "collections",
    "email",
    "json",
    "logging",
    "os",
    "pathlib",
    "shutil",
    "unittest",
    "zipfile",
]
symbols = python_api.collect_symbols(["keras", "numpy", "rich", "typer", *STANDARD_LIBRARY])
train_symbols, test_symbols = python_api.split_symbols(symbols)
test_questions = python_api.test_queries(test_symbols)

example = symbols.filter([name == "json.loads" for name in symbols["symbol"].to_pylist()]).to_pylist()[0]
print(f"{len(symbols):,} symbols, {len(test_symbols):,} of them held out")
{name: example[name] for name in ("summary", "symbol", "name_words", "parameters", "description")}

# %% [markdown]
# A tenth of the symbols is held out: the model never sees their first sentences. The search is among *all* symbols.
#
# tfdual reads Parquet files, so let's have some.

# %%
data = Path("quickstart-data")
data.mkdir(exist_ok=True)
for name, table in {"train": train_symbols, "queries": test_questions, "items": symbols}.items():
    pq.write_table(table, data / f"{name}.parquet")

# %% [markdown]
# ## Schema
#
# A schema names the columns, with their types, and tags them: `USER` is the side that asks, `ITEM` the side that is
# found. Columns that share a *domain* share one vocabulary and one embedding table; so a word of the question and the
# same word in a description start from the same vector.

# %%
TEXT = {"domain": {"name": "text"}}

schema = Schema(
    [
        ColumnSchema("summary", [Tags.USER, Tags.TEXT], TEXT, "string"),
        ColumnSchema("symbol", [Tags.ITEM_ID], dtype="string"),
        ColumnSchema("name_words", [Tags.ITEM, Tags.TEXT], TEXT, "string"),
        ColumnSchema("description", [Tags.ITEM, Tags.TEXT], TEXT, "string"),
        ColumnSchema("package", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("module", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("kind", [Tags.ITEM, Tags.CATEGORICAL], dtype="string"),
        ColumnSchema("parameters", [Tags.ITEM, Tags.CATEGORICAL], dtype="string", is_list=True),
        ColumnSchema("num_parameters", [Tags.ITEM, Tags.CONTINUOUS], dtype="float32"),
        ColumnSchema("num_lines", [Tags.ITEM, Tags.CONTINUOUS], dtype="float32"),
    ]
)
schema

# %%
item_columns = schema.select_by_tag(Tags.ITEM)
relevant = ColumnSchema("relevant", dtype="string", is_list=True)

train = tfdual.read(data / "train.parquet", schema)
items = tfdual.read(data / "items.parquet", item_columns)
queries = tfdual.read(data / "queries.parquet", (schema - item_columns) + Schema([relevant]))
len(train), len(queries), len(items)

# %% [markdown]
# ## Preprocessing
#
# One pass over the training rows learns vocabularies and statistics. Here each text becomes the ids of its words and
# word pairs, hashed. The same preprocessor runs in the input pipeline and, later, inside the exported model.

# %%
prep = tfdual.Preprocessor(schema, {"text": tfdual.preprocessing.HashedText(2**15)}).adapt(train)
batches = train.batch(512, shuffle=True, seed=0).map(prep)

# %% [markdown]
# ## Two towers
#
# Each tower encodes its columns, adds them up with learned weights, and scales the sum to length 1. `symbol` is left
# out of the towers: it is the answer, and new symbols have no learned id.

# %%
DIM = 128

towers = tfdual.TwoTowerBlock(
    prep.schema.without("symbol"),
    query_tower=keras.layers.Identity(),
    embedding_options=tfdual.EmbeddingOptions(embedding_dim_default=16, embedding_dims={"text": DIM}, combiner="sqrtn"),
    fusion=tfdual.fusion.WeightedSumFusion(DIM),
    post="l2-norm",
)
model = tfdual.TwoTowerModel(towers, temperature=0.07, item_id="symbol")
model.compile(optimizer=tfdual.LazyAdam(3e-3))

# %% [markdown]
# ## Training
#
# Every other item of the batch is a negative. After each epoch `CorpusEvaluation` searches all items for the held-out
# questions. Nothing is chosen by these figures.

# %%
watch = tfdual.CorpusEvaluation(queries, items, (10,), prep, relevant="relevant")
history = model.fit(batches, epochs=6, verbose=0, callbacks=[watch]).history
[round(value, 3) for value in history["val_recall@10"]]

# %% [markdown]
# ## Evaluation, beside a baseline
#
# BM25 searches the same text, with stemming and stop words.

# %%
from tfdual.ranking import BM25

report = tfdual.evaluate(model, queries, items, (1, 10, 50), prep, relevant="relevant")

words = BM25().build(python_api.item_text(symbols), symbols["symbol"].to_pylist())
names = words.search(test_questions["summary"].to_pylist(), 50).ids
wanted = test_questions["relevant"].to_pylist()
hits = np.array([np.isin(row, answers) for row, answers in zip(names, wanted, strict=True)])
sizes = np.array([len(answers) for answers in wanted])
bm25 = {name: float(values.mean()) for name, values in tfdual.metrics.ranking_metrics(hits, sizes, (1, 10, 50)).items()}

for name in ("recall@1", "recall@10", "recall@50", "ndcg@10"):
    print(f"{name:>10}   tfdual {report[name]:.3f}   BM25 {bm25[name]:.3f}")

# %%
import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
left.plot(range(1, 7), history["loss"], marker="o")
left.set(xlabel="epoch", title="training loss")
for label, values in {"tfdual": report, "BM25": bm25}.items():
    right.plot([1, 10, 50], [values[f"recall@{k}"] for k in (1, 10, 50)], marker="o", label=label)
right.set(xlabel="k", title="recall@k, whole corpus", xscale="log", ylim=(0, 1))
right.set_xticks([1, 10, 50], ["1", "10", "50"])
right.legend()
plt.show()

# %% [markdown]
# ## One model to serve
#
# A retriever joins preprocessing, query tower and index: raw text in, names and scores out. `ScaNN` is exact below
# 20,000 items; above, it is tuned to the recall that you ask for. ScaNN has wheels for Linux x86-64; elsewhere take
# `BruteForce`.

# %%
index = tfdual.ScaNN(target_recall=0.95) if sys.platform == "linux" else tfdual.BruteForce()
retriever = model.to_retriever(items, index, prep, attributes=["kind"])
path = retriever.export("quickstart-model", report={"metrics": {"tfdual": report}})
path

# %%
retriever = tfdual.Retriever.load(path)
answers = retriever.search(
    {"summary": ["remove a directory and all that is in it", "scaled dot product attention"]}, k=5
)
for symbol, score in zip(answers["id"].ravel(), answers["score"].ravel(), strict=True):
    print(f"{score:.3f}  {symbol}")

# %% [markdown]
# The folder is all that another process needs: no training code, no schema file. The command line reads it too.

# %%
question = "write an array to a text file"
command = [sys.executable, "-m", "tfdual", "query", "quickstart-model", question, "-k", "5"]
print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
