"""What README.md and docs/ tell the reader to type works."""

import doctest
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from tfdual.cli.main import app

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
USAGE_ERROR = typer.BadParameter.__base__
SHELLS = ("bash", "console", "sh")


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text()) if language in languages]


def commands(page: Path, program: str) -> list[str]:
    lines = [line.removeprefix("$ ").strip() for text in blocks(page, *SHELLS) for line in text.splitlines()]
    return [line for line in lines if line.split()[:1] == [program]]


def named(pages: list[Path], program: str) -> list[str]:
    return sorted({line for page in pages for line in commands(page, program)})


def check_command(line: str) -> None:
    """Parse `tfdual ...` by the program's own parser, without running it."""
    program = get_command(app)
    context = program.make_context("tfdual", shlex.split(line)[1:])
    name, command, rest = program.resolve_command(context, [*context._protected_args, *context.args])
    command.make_context(name, rest, parent=context)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_python_blocks_run_in_order(page: Path, tmp_path: Path) -> None:
    code = "\n".join(blocks(page, "python"))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "pycon")], ids=lambda page: page.name)
def test_the_sessions_of_a_page_give_what_they_show(page: Path) -> None:
    assert all(block.startswith(">>> ") for block in blocks(page, "pycon"))
    result = doctest.testfile(
        str(page), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert result.attempted >= len(blocks(page, "pycon"))
    assert result.failed == 0


def test_the_readme_has_the_example_and_both_commands() -> None:
    readme = REPOSITORY / "README.md"
    assert len(blocks(readme, "python")) == 1
    assert {"make demo", "make test"} <= set(commands(readme, "make"))
    assert {line.split()[1] for line in commands(readme, "tfdual")} == {
        "demo",
        "evaluate",
        "export",
        "index",
        "inspect",
        "query",
        "schema",
        "validate",
        "versions",
    }


@pytest.mark.parametrize("line", named(PAGES, "tfdual"))
def test_a_tfdual_command_parses(line: str) -> None:
    check_command(line)


@pytest.mark.parametrize("line", ["tfdual fly", "tfdual demo --speed 3", "tfdual query", "tfdual query m text -k many"])
def test_a_wrong_tfdual_command_does_not_parse(line: str) -> None:
    with pytest.raises(USAGE_ERROR):
        check_command(line)


@pytest.mark.parametrize("line", named(PAGES, "make"))
def test_a_make_command_names_a_target_and_variables_of_the_makefile(line: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    words = shlex.split(line)[1:]
    assert {word for word in words if "=" not in word} <= targets
    assert all(f"$({word.split('=')[0]})" in makefile for word in words if "=" in word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_linked_files_exist(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_pictures_are_small_and_shown() -> None:
    pictures = sorted((REPOSITORY / "docs" / "images").glob("*.png"))
    text = "".join(page.read_text() for page in PAGES)
    assert {picture.name for picture in pictures} == {
        "bi_encoder.png",
        "compression.png",
        "cross-encoder.png",
        "evaluation.png",
        "flow.png",
        "graph.png",
        "hybrid.png",
        "items.png",
        "late_interaction.png",
        "poly_encoder.png",
        "recall.png",
        "towers.png",
        "training.png",
    }
    assert [picture.name for picture in pictures if picture.name not in text] == []
    assert [picture.name for picture in pictures if picture.stat().st_size > 200_000] == []
