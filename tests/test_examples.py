"""Every shell example in the README and the documents does what is printed beneath it.

``UPDATE_EXAMPLES=1`` writes what the commands show now into the pages.  Where a tool that an example
calls is not installed, the page's other examples are compared and the test is reported as skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import shell_examples as examples
import typer

from cvsearch.cli.app import app
from cvsearch.setting_rules import RULES

WITH_OUTPUT = [page for page in examples.PAGES if examples.find_examples(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", WITH_OUTPUT, ids=examples.name_page)
def test_examples_show_what_is_printed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    absent: set[str] = set()
    shown = []
    with examples.open_folder() as folder:
        for one in examples.find_examples(text):
            lacks = examples.find_absent_tools(one.command)
            absent.update(lacks)
            if not lacks:
                shown.append((one, examples.run_command(one.command, folder)))
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
    assert action == "import-terraform" or name in RULES
