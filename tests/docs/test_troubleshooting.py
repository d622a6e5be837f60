"""The page for when something goes wrong quotes only what cvsearch can say, and leaves out no reason."""

import ast
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import typer
from places import PROJECT

import cvsearch
from cvsearch import errors
from cvsearch.cli.app import app
from cvsearch.providers.registry import setting_rules

PAGE = (PROJECT / "docs" / "troubleshooting.md").read_text("utf-8")
TREES = [ast.parse(file.read_text("utf-8")) for file in Path(cvsearch.__file__).parent.rglob("*.py")]

GAP = "…"
NO_SKIPS = {"not-indexed-yet", "not-judged", "not-in-index", "imported"}
"""Reasons that the page explains though no photo is skipped for them."""
OWN_CODE = {name for name, kind in vars(errors).items() if getattr(kind, "code", 2) != 2}
"""Errors with an exit code of their own: each of their messages is one to look up."""


def find_rows(heading: str) -> list[list[str]]:
    """The cells of the rows of all tables that begin with that heading."""
    tables = re.findall(rf"^\| {heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [re.split(r"(?<!\\)\|", row.strip("|")) for table in tables for row in table.splitlines()]


def find_quotes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell.replace(r"\|", "|"))


MESSAGES = [message for row in find_rows("you read") for message in find_quotes(row[0])]
REASONS = [reason for row in find_rows("reason") for reason in find_quotes(row[0])]


def flat(node: ast.AST | None) -> str | None:
    """A literal's text with a gap for each value in it; None for what is no literal."""
    match node:
        case ast.Constant(value=str(text)):
            return re.sub(r"\{\w+\}", GAP, text)  # a template
        case ast.JoinedStr(values=parts):
            return "".join(part.value if isinstance(part, ast.Constant) else GAP for part in parts)
    return None


def find_literals(trees: Iterable[ast.Module]) -> set[str]:
    """Every literal of the code but docstrings."""
    literals = set()
    for tree in trees:
        holders = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Expr)]
        parts = {part for node in holders for part in ast.iter_child_nodes(node)}
        literals.update(
            text
            for node in ast.walk(tree)
            if (text := flat(node)) and not (isinstance(node, ast.Constant) and node in parts)
        )
    return literals


LITERALS = find_literals(TREES)


def can_say(message: str, literals: Iterable[str] = LITERALS) -> bool:
    """Whether one literal holds all fixed parts of a message, as whole words in their order."""
    parts = [part.strip() for part in message.split(GAP) if part.strip()]
    pattern = re.compile(r"(?<!\w)" + ".*?".join(map(re.escape, parts)) + r"(?!\w)", re.DOTALL)
    return bool(parts) and any(pattern.search(text) for text in literals)


def find_calls(*names: str) -> Iterator[tuple[ast.Module, ast.Call]]:
    """Every call of functions or classes by their plain names."""
    for tree in TREES:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
                yield tree, node


def find_values(tree: ast.Module, node: ast.expr) -> Iterator[ast.expr]:
    """What an argument may be: itself, or what a table gives to a loop, or callers to a function."""
    yield node
    if not isinstance(node, ast.Name):
        return
    for other in ast.walk(tree):
        if isinstance(other, ast.For) and isinstance(other.target, ast.Tuple):
            names = [ast.unparse(target) for target in other.target.elts]
            if node.id in names:
                yield from find_column(tree, ast.unparse(other.iter), names.index(node.id))
        elif isinstance(other, ast.FunctionDef):
            names = [argument.arg for argument in other.args.args]
            if node.id in names:
                yield from find_arguments(tree, other.name, names.index(node.id))


def find_column(tree: ast.Module, table: str, column: int) -> Iterator[ast.expr]:
    """A column of a table, which is a tuple of tuples at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == table:
            yield from (row.elts[column] for row in node.value.elts)


def find_arguments(tree: ast.Module, function: str, position: int) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
            yield from node.args[position : position + 1]


def find_reasons() -> set[str]:
    """Every reason that the code gives for a photo, or for a name, that it does not look at."""
    given = [(tree, call.args[0]) for tree, call in find_calls("Skip")]
    given += [(tree, call.args[1]) for tree, call in find_calls("Unread") if len(call.args) > 1]
    return {text for tree, node in given for value in find_values(tree, node) if (text := flat(value))}


def find_errors() -> set[str]:
    """The messages of errors that have an exit code of their own, and of every refusal by Azure."""
    given = [call.args[0] for _, call in find_calls(*OWN_CODE) if call.args]
    given += [call.args[3] for _, call in find_calls("_Known")]
    return {text for node in given if (text := flat(node)) and re.search(r"\w", text)}


def test_every_quoted_message_is_one_that_cvsearch_says():
    assert len(MESSAGES) > 100
    assert [message for message in MESSAGES if not can_say(message)] == []


@pytest.mark.parametrize(
    "invented",
    [
        "the moon is full",
        "there is an index at …",  # there is none
        "there is no index in …",
        "the index at … is still locked",
        "here is no index at …",  # begins within a word
        "at … there is no index",  # in another order
        "there is no index at … make one: …",  # message and hint are two
        "…",
    ],
)
def test_an_invented_message_is_noticed(invented):
    assert not can_say(invented)


def test_what_only_a_docstring_says_does_not_count():
    code = 'def f():\n    """the moon is full"""\n    return f"the moon {1} is new"'
    literals = find_literals([ast.parse(code)])
    assert not can_say("the moon is full", literals)
    assert can_say("the moon … is new", literals)


def test_every_reason_of_a_skip_has_a_row():
    known = find_reasons()
    # Given outright, by a loop over a table, by callers, with a value in it.
    assert {"damaged", "invalid-image", "unreadable-file", "needs-…"} <= known
    patterns = [re.compile(re.escape(reason).replace(GAP, "[a-z]+")) for reason in known]
    assert [one.pattern for one in patterns if not any(map(one.fullmatch, REASONS))] == []
    others = {reason for reason in REASONS if not any(one.fullmatch(reason) for one in patterns)}
    assert others <= NO_SKIPS
    assert all(map(can_say, NO_SKIPS))
    assert len(REASONS) == len(set(REASONS))


def test_every_error_with_a_code_of_its_own_has_a_row():
    assert len(find_errors()) > 35
    assert [text for text in sorted(find_errors()) if not any(can_say(one, [text]) for one in MESSAGES)] == []


def test_commands_and_settings_in_the_tables_exist():
    rows = find_rows("you read") + find_rows("reason")
    texts = [text for row in rows for cell in row for text in find_quotes(cell)]
    commands = [shlex.split(text)[1:] for text in texts if re.match("cvsearch [a-z]", text)]
    assert len(commands) > 20
    group = typer.main.get_command(app)
    for arguments in commands:
        with group.make_context("cvsearch", arguments) as context:
            name, command, rest = group.resolve_command(context, context._protected_args + context.args)
            command.make_context(name, rest, parent=context).close()
    variables = {name for text in texts for name in re.findall("CVSEARCH_[A-Z_]+", text)}
    assert variables <= {rule.variable for rule in setting_rules().values()}
