"""SciFact's documents to vectors, by sentence-transformers."""

import json

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from worker import Worker


def main() -> None:
    """Encode as the worker says; the vectors of the last round stay in its folder."""
    worker = Worker()
    worker.versions("sentence-transformers", "torch", "transformers")
    torch.set_num_threads(worker.settings["threads"])
    texts = json.loads((worker.path / "texts.json").read_text())
    model = SentenceTransformer(worker.settings["model"], device="cpu")
    for place in range(worker.rounds):
        worker.start(place)
        vectors = model.encode(texts, batch_size=worker.batch, show_progress_bar=False)
        worker.finish()
    np.save(worker.path / f"{worker.variant}.npy", vectors)


main()
