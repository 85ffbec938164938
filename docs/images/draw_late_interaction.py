"""Draws `late_interaction.png`: python docs/images/draw_late_interaction.py."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

INK, MUTED = "#1f2933", "#66727f"
QUERY, ITEM, SHARED, BEST = "#8fbdf0", "#f3b26b", "#eceff3", "#4f9d69"
ASKED = ("[CLS]", "how", "to", "brew", "tea", "[SEP]", "[MASK]", "[MASK]")
TITLE = ("[CLS]", "a", "pot", "of", "sencha", "!", "[SEP]")
SKIPPED = TITLE.index("!")
STEP, LEFT, TOP = 0.5, 4.15, 4.3


def main() -> None:
    """Draw the picture beside this file."""
    figure = Figure(figsize=(11.2, 5.6))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, 11.2), ylim=(0, 5.6))
    axis.axis("off")
    side(axis, (0.3, 3.0), "query", "filled up with [MASK]", QUERY)
    side(axis, (0.3, 0.8), "item", "made once, kept in the index", ITEM)
    products = matrix(axis)
    sums(axis, products)
    figure.savefig(Path(__file__).with_name("late_interaction.png"), dpi=120)


def side(axis: Axes, at: tuple[float, float], title: str, text: str, color: str) -> None:
    """One encoder, and what it gives."""
    x, y = at
    height = 1.8
    axis.add_patch(FancyBboxPatch(at, 2.3, height, boxstyle="round,pad=0,rounding_size=0.08", fc=SHARED, ec="none"))
    middle = x + 1.15
    axis.text(middle, y + height - 0.3, title, ha="center", va="center", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(middle, y + height - 0.66, "a vector a token", ha="center", va="center", color=MUTED, fontsize=9)
    axis.text(middle, y + height - 0.98, text, ha="center", va="center", color=MUTED, fontsize=8)
    for place in range(8 if title == "query" else 6):
        axis.add_patch(Rectangle((x + 0.3 + 0.22 * place, y + 0.18), 0.13, 0.42, fc=color, ec=MUTED, lw=0.6))


def matrix(axis: Axes) -> np.ndarray:
    """Products of all tokens; the best of each row is framed."""
    rng = np.random.default_rng(4)
    products = rng.uniform(0.05, 0.35, (len(ASKED), len(TITLE)))
    for row, column, value in ((0, 0, 0.8), (1, 0, 0.5), (2, 3, 0.55), (3, 2, 0.7), (4, 4, 0.9), (5, 6, 0.75)):
        products[row, column] = value
    products[6, 4], products[7, 2] = 0.6, 0.55
    products[:, SKIPPED] = 0
    for row, asked in enumerate(ASKED):
        y = TOP - STEP * row
        axis.text(LEFT - 0.12, y + STEP / 2, asked, ha="right", va="center", color=INK, fontsize=10)
        for column in range(len(TITLE)):
            value = products[row, column]
            color = SHARED if column == SKIPPED else (1 - 0.55 * value, 1 - 0.3 * value, 1 - 0.5 * value)
            axis.add_patch(Rectangle((LEFT + STEP * column, y), STEP, STEP, fc=color, ec="white", lw=1.5))
        best = int(products[row].argmax())
        axis.add_patch(Rectangle((LEFT + STEP * best, y), STEP, STEP, fill=False, ec=BEST, lw=2.2, zorder=3))
    for column, token in enumerate(TITLE):
        color = MUTED if column == SKIPPED else INK
        axis.text(
            LEFT + STEP * (column + 0.5), TOP + STEP + 0.1, token, ha="center", color=color, fontsize=10, rotation=35
        )
    bottom = TOP - STEP * (len(ASKED) - 1)
    note = "punctuation\nhas no vector"
    axis.text(
        LEFT + STEP * (SKIPPED + 0.5),
        bottom - 0.12,
        note,
        ha="center",
        va="top",
        color=MUTED,
        fontsize=8,
        linespacing=1.1,
    )
    return products


def sums(axis: Axes, products: np.ndarray) -> None:
    """The best of each row, and their sum."""
    x = LEFT + STEP * len(TITLE) + 0.6
    axis.text(x + 0.5, TOP + STEP + 0.15, "best match", ha="center", color=INK, fontsize=10.5, fontweight="bold")
    for row, best in enumerate(products.max(axis=1)):
        y = TOP - STEP * row
        axis.add_patch(Rectangle((x, y + 0.1), 1.0 * best, STEP - 0.2, fc=BEST, ec="none"))
        axis.text(x + best + 0.08, y + STEP / 2, f"{best:.2f}", va="center", color=MUTED, fontsize=9)
    end = (x + 1.6, TOP - 1.5)
    axis.add_patch(
        FancyArrowPatch((x + 1.4, TOP - 1.5), (x + 1.85, TOP - 1.5), arrowstyle="-|>", mutation_scale=14, color=MUTED)
    )
    axis.text(end[0] + 0.42, TOP - 1.3, "score", va="bottom", color=INK, fontsize=11.5, fontweight="bold")
    axis.text(end[0] + 0.42, TOP - 1.52, f"Σ = {products.max(axis=1).sum():.2f}", va="center", color=INK, fontsize=11.5)


if __name__ == "__main__":
    main()
