"""Every shell example in the README and the documents does what is printed beneath it.

``UPDATE_EXAMPLES=1`` writes what the commands show now into the pages.  Where a tool that an example
calls is not installed, the page's other examples are compared and the test is reported as skipped.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import shell_examples as examples
import typer

from cvsearch.cli.app import app
from cvsearch.providers.registry import setting_rules

LEAST_BLOCKS, LEAST_COMMANDS = 80, 150
"""How many there are at least: fewer would mean that they are no longer found."""
WITH_OUTPUT = [page for page in examples.PAGES if examples.find_examples(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_OUTPUT, ids=examples.name_page)
def test_examples_show_what_is_printed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shown, absent = run_examples(text)
    if os.environ.get("UPDATE_EXAMPLES"):
        for one, output in reversed(shown):
            if not examples.is_alike(output, one.output):
                text = text[: one.start] + output + text[one.end :]
        page.write_text(text, encoding="utf-8")
        return
    for one, output in shown:
        assert examples.is_alike(output, one.output), f"$ {one.command}\n{output}"
    if absent:
        pytest.skip(f"examples that call what is not installed: {', '.join(sorted(absent))}")


def run_examples(text: str) -> tuple[list[tuple[examples.Example, str]], set[str]]:
    """A page's commands with what they show, and the tools that others call and are not installed."""
    shown, absent = [], set()
    exports: list[str] = []
    with examples.open_folder() as folder:
        for one in examples.find_examples(text):
            if lacks := examples.find_absent_tools(one.command):
                absent.update(lacks)
                continue
            shown.append((one, examples.run_command(one.command, folder, exports)))
            if examples.is_export(one.command):
                exports.append(one.command)
    return shown, absent


@pytest.mark.parametrize("page", examples.PAGES, ids=examples.name_page)
def test_commands_have_names_and_options_that_exist(page: Path) -> None:
    group = typer.main.get_command(app)
    for arguments in examples.find_commands(page.read_text(encoding="utf-8")):
        with group.make_context("cvsearch", list(arguments)) as context:
            name, command, rest = group.resolve_command(context, context._protected_args + context.args)
            with command.make_context(name, rest, parent=context) as inner:
                if name == "config":
                    assert_config_takes(**inner.params)


def assert_config_takes(action: str, name: str | None, **_: object) -> None:
    assert action in ("set", "unset", "import-terraform")
    assert action == "import-terraform" or name in setting_rules()


@pytest.mark.parametrize("page", examples.PAGES, ids=examples.name_page)
def test_every_block_is_of_a_known_kind_and_found(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fences = re.findall(r"^[ >]*(?:```|~~~).*$", text, re.MULTILINE)
    assert fences[::2] == [f"```{block[1]}" for block in examples.find_blocks(text, *examples.KINDS)]
    assert set(fences[1::2]) <= {"```"}
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert [one.command.partition("\n")[0] for one in examples.find_examples(text)] == commands


@pytest.mark.parametrize("page", examples.PAGES, ids=examples.name_page)
def test_no_code_is_set_off_by_indentation_alone(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!-- \[\[\[cog.*?\]\]\] -->", "", text, flags=re.DOTALL)
    assert re.findall(r"\n\n((?: {4}|\t).*)", text) == []


@pytest.mark.parametrize("page", examples.PAGES, ids=examples.name_page)
def test_scripts_that_are_named_are_there(page: Path) -> None:
    for script in re.findall(r"\bpython3? ((?:tests|docs)/\S+\.py)", page.read_text(encoding="utf-8")):
        assert (examples.PROJECT / script).is_file(), script


def test_as_many_are_found_as_there_are() -> None:
    texts = [page.read_text(encoding="utf-8") for page in examples.PAGES]
    assert sum(1 for text in texts for _ in examples.find_blocks(text, "console")) >= LEAST_BLOCKS
    assert sum(len(examples.find_examples(text)) for text in texts) >= LEAST_COMMANDS


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        ("1  0.5559  ████████  a.jpg", "1  0.5551  ████████  a.jpg", True),
        ("1  0.5559  ████████  a.jpg", "1  0.5659  ████████  a.jpg", False),
        ("2  0.1199  █▊        b.jpg", "2  0.1199  █▉     b.jpg", True),
        ("2  0.1199  █▉        b.jpg", "2  0.1199  ██     b.jpg", True),
        ("2  0.1199  █▊        b.jpg", "2  0.1199  ██     b.jpg", False),
        ("2  0.1199  █▊        b.jpg", "2  0.1199  ▏      b.jpg", False),
        ("2  0.1199  █▊        b.jpg", "2  0.1199  b.jpg", False),
        ("size  56 kB", "size  59 kB", True),
        ("size  56 kB", "size  63 kB", False),
        ("size  56 kB", "size  56 MB", False),
        ("size  0.99 MB", "size  999 kB", True),
        ("12 photos in 1 s", "12 photos in 3 s", True),
        ("12 photos in 1 s", "13 photos in 1 s", False),
        ("indexed just now", "indexed 2 min ago", True),
        ("at 2026-11-23T04:42:39Z", "at 2026-11-24T05:00:00Z", True),
    ],
)
def test_what_is_alike(shown: str, printed: str, alike: bool) -> None:
    assert examples.is_alike(shown, printed) is alike
    assert examples.is_alike(printed, shown) is alike
