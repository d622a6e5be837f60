"""The house keeps its drawing: who may import whom, read out of the code itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import cvsearch

HOUSE = Path(cvsearch.__file__).parent
TESTS = Path(__file__).parent

FLOORS = (
    {"model", "paths", "errors", "signals"},
    {"photos", "ranking", "config", "output"},
    {"store", "providers"},
    {"embedding"},
    {"indexer", "search"},
    {"api"},
    {"cli"},
    {"__main__"},
)
"""From the ground up: imports go down only, and neighbours on one floor do not know each other, but for the
ground, whose modules may use one another."""
ROOMS = {
    "config",
    "photos",
    "providers",
    "store",
    "ranking",
    "embedding",
    "indexer",
    "search",
    "output",
    "cli",
}
BESIDE = {
    "__init__.py",
    "__main__.py",
    "py.typed",
    "errors.py",
    "model.py",
    "paths.py",
    "signals.py",
    "api.py",
}
SEEN_BY_CLI = {"api", "model", "errors", "signals", "config", "output", "paths"}

HEAVY = ("httpx", "numpy", "PIL", "onnxruntime", "rich", "filelock", "pathspec", "tomlkit")

LAZY = {
    "cvsearch": "the package's door: what it offers is loaded when it is asked for",
    "cvsearch.api": "the lazy boundary",
    "cvsearch.cli.app": "a command's module is loaded when the command is called",
    "cvsearch.cli.output": "pages and previews load what draws them when somebody wants them",
    "cvsearch.store.local.library": "what a walk needs is loaded for the one question that walks",
    "cvsearch.search.query": "a query by words loads neither Pillow nor hashing",
    "cvsearch.providers.azure": "a descriptor is light: opening it loads httpx",
    "cvsearch.providers.azure.embedder": "what was asked before needs no connection, so no httpx",
    "cvsearch.providers.local": "a descriptor is light: opening it loads numpy",
    "cvsearch.providers.local.embedder": "texts need no network, photos no phrase book",
}
"""Modules that import others of the package inside functions, with the reason."""


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(HOUSE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in HOUSE.rglob("*.py")}


def imports_of(tree: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Modules of cvsearch that a piece of code imports anywhere in it, each with the name taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.startswith("cvsearch"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, ast.unparse(node)
            if node.module and node.module.partition(".")[0] == "cvsearch":
                yield from ((node.module, alias.name) for alias in node.names)


def heads_of(tree: ast.Module) -> Iterator[ast.stmt]:
    """What is run when a module is loaded."""
    return (node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef))


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def targets_of(module: str, *, late: bool = True) -> set[str]:
    """The modules a module imports, whether it names them whole or takes them out of their package.

    The package itself is the door: what it offers is loaded when it is asked for.  Without `late` ones: those
    that are loaded with it.
    """
    if module == "cvsearch":
        return set()
    found = set()
    tree = parse(MODULES[module])
    for source, name in imports_of(tree if late else ast.Module(list(heads_of(tree)), [])):
        inner = f"{source}.{name}"
        found.add(inner if inner in MODULES else source)
    return found


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def floor_of(module: str) -> int:
    """How high a module lives; the package itself, which holds the version, is the ground."""
    room = room_of(module)
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms) if room else 0


def test_the_top_level_is_as_drawn():
    assert {file.name for file in HOUSE.iterdir() if file.is_file()} == BESIDE
    assert {file.parent.name for file in HOUSE.glob("*/__init__.py")} == ROOMS


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_only(module):
    for target in targets_of(module):
        assert floor_of(target) <= floor_of(module), f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if floor_of(name) > 0))
def test_neighbours_do_not_know_each_other(module):
    for target in targets_of(module):
        neighbour = floor_of(target) == floor_of(module) and room_of(target) != room_of(module)
        assert not neighbour, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if room_of(name) == "cli"))
def test_the_command_line_sees_the_house_through_its_door(module):
    for target in targets_of(module):
        assert room_of(target) in {*SEEN_BY_CLI, "cli", ""}, f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_output_is_imported_by_the_command_line_alone(module):
    if room_of(module) not in ("cli", "output"):
        assert not {target for target in targets_of(module) if room_of(target) == "output"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_heads_are_at_the_top(module):
    functions = (node for node in ast.walk(parse(MODULES[module])) if isinstance(node, ast.FunctionDef))
    late = {source for function in functions for source, _ in imports_of(function)}
    assert not late or module in LAZY, f"{module} imports inside a function: {late}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_the_registry_alone_names_providers(module):
    """Who wants to know whether something costs asks `provider.sends`."""
    from cvsearch.providers.registry import PROVIDERS

    if module.startswith("cvsearch.providers"):
        return
    compared = [
        constant.value
        for node in ast.walk(parse(MODULES[module]))
        if isinstance(node, ast.Compare)
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant) and constant.value in PROVIDERS
    ]
    assert compared == []
    assert module in ("cvsearch.api",) or not any(
        target.startswith(("cvsearch.providers.azure", "cvsearch.providers.local"))
        for target in targets_of(module)
    )


def test_there_are_no_cycles():
    try:
        TopologicalSorter({module: targets_of(module, late=False) - {module} for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle: {' → '.join(error.args[1])}")


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: str(file.relative_to(TESTS)))
def test_tests_use_public_names_alone(file):
    private = [name for _, name in imports_of(parse(file)) if name and re.match(r"_[^_]", name)]
    assert private == []
    text = file.read_text("utf-8")
    assert re.findall(r"""["']cvsearch(?:\.\w+)*\._[a-z]\w*["']""", text) == []


def test_the_double_shares_no_code_with_cvsearch():
    assert list(imports_of(parse(TESTS / "support" / "azure_double.py"))) == []


@pytest.mark.parametrize("argv", [["--help"], ["query", "--help"], ["index", "-h"]], ids=" ".join)
def test_help_loads_nothing_heavy(argv):
    code = (
        f"import sys\nfrom cvsearch.cli.app import main\ncode = main({argv!r})\n"
        f"sys.exit(code or ','.join(sorted(set(sys.modules) & set({HEAVY!r}))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
