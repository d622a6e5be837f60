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
    {"errors", "values"},
    {"search"},
    {"settings", "photos", "embedders", "store", "render"},
    set[str](),
    {"wiring"},
    {"pictures", "reading", "workshop"},
    {"api"},
    {"cli", "__main__"},
)
"""From the ground up.  Rooms of the middle floor, the third, do not import one another; on the fourth
live the flows: every module beside the rooms that is not named here."""
MIDDLE, FLOWS = 2, 3
ROOM_OF = dict.fromkeys(("setting_rules", "config_file", "deployment"), "settings")
"""Modules beside the room that they belong to."""

HEAVY = ("httpx", "numpy", "PIL", "onnxruntime", "rich", "filelock", "pathspec")


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(HOUSE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in HOUSE.rglob("*.py")}


def imports_of(file: Path) -> Iterator[tuple[str, str | None]]:
    """Modules of cvsearch that a file imports anywhere in it, each with the name taken from it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.startswith("cvsearch"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if node.module and node.module.partition(".")[0] == "cvsearch":
                yield from ((node.module, alias.name) for alias in node.names)


def targets_of(module: str) -> set[str]:
    """The modules a module imports, whether it names them whole or takes them out of their package.

    The package itself is the door: what it offers is loaded when it is asked for.
    """
    if module == "cvsearch":
        return set()
    found = set()
    for source, name in imports_of(MODULES[module]):
        inner = f"{source}.{name}"
        found.add(inner if inner in MODULES else source)
    return found


def room_of(module: str) -> str:
    name = module.split(".")[1] if "." in module else ""
    return ROOM_OF.get(name, name)


def floor_of(module: str) -> int:
    """How high a module lives; the package itself, which holds the version, is the ground."""
    room = room_of(module)
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), FLOWS) if room else 0


def test_every_room_has_its_place():
    known = {room for rooms in FLOORS for room in rooms}
    assert {file.parent.name for file in HOUSE.glob("*/__init__.py")} <= known


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_go_down_only(module):
    for target in targets_of(module):
        assert floor_of(target) <= floor_of(module), f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if floor_of(name) == MIDDLE))
def test_middle_rooms_do_not_import_one_another(module):
    for target in targets_of(module):
        assert floor_of(target) != MIDDLE or room_of(target) == room_of(module), f"{module} imports {target}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if floor_of(name) == FLOWS))
def test_flows_know_embedders_by_their_protocol_alone(module):
    embedders = {target for target in targets_of(module) if room_of(target) == "embedders"}
    assert embedders <= {"cvsearch.providers.base"}
    assert not {
        target for target in targets_of(module) if room_of(target) in ("photos", "render", "settings")
    }


def test_there_are_no_cycles():
    try:
        TopologicalSorter({module: targets_of(module) - {module} for module in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(f"a cycle: {' → '.join(error.args[1])}")


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: file.name)
def test_tests_use_public_names_alone(file):
    private = [name for _, name in imports_of(file) if name and re.match(r"_[^_]", name)]
    assert private == []
    text = file.read_text("utf-8")
    assert re.findall(r"""["']cvsearch(?:\.\w+)*\._[a-z]\w*["']""", text) == []


def test_the_double_shares_no_code_with_cvsearch():
    assert list(imports_of(TESTS / "support" / "azure_double.py")) == []


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom cvsearch.cli.app import main\ncode = main(['--help'])\n"
        f"sys.exit(code or ','.join(sorted(set(sys.modules) & set({HEAVY!r}))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
