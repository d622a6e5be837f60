"""`.ci/run`: what it installs on which machine, and that it then runs the README's test command."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from shell_examples import TOOLS as TOOLS_OF_EXAMPLES

PROJECT = Path(__file__).parent.parent
SCRIPT = PROJECT / ".ci" / "run"
TOOLS = " ".join(("chromium", *TOOLS_OF_EXAMPLES))
APT = ["apt-get -q update", f"apt-get -q install -y --no-install-recommends {TOOLS}"]
PIP = ["pip install -q -e .[all,dev]", "pytest"]
NEVER_ASKS = '! read answer && [ "$DEBIAN_FRONTEND" = noninteractive ]'
TERRAFORM_CHECK = "pip install -q -e .[terraform-check]"


@dataclass
class Machine:
    """A machine with nothing but stand-ins on its PATH, which note how they were called."""

    folder: Path

    def add(self, name: str, does: str = ":") -> None:
        tool = self.folder / "tools" / name
        tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.folder}/calls"\n{does}\n')
        tool.chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        (self.folder / "calls").write_text("")
        return subprocess.run(
            [self.folder / "clone" / ".ci" / "run"],
            env={"PATH": str(self.folder / "tools"), "CI": "true"},
            input="y\n",
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        """What was installed and run."""
        lines = [line.strip() for line in (self.folder / "calls").read_text().splitlines()]
        return [line for line in lines if not line.startswith(("python3", "id"))]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A clean machine, and who is on it is root; without Debian's tools and Terraform."""
    machine = Machine(tmp_path)
    (tmp_path / "clone" / ".ci").mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "clone" / ".ci")
    (tmp_path / "tools").mkdir()
    for name in ("bash", "sh", "dirname", "tail", "mkdir", "cp"):
        found = shutil.which(name)
        assert found
        (tmp_path / "tools" / name).symlink_to(found)
    for name in ("pip", "pytest"):
        machine.add(name)
    venv = f'if [ "$2" = venv ]; then mkdir -p .venv/bin; cp "{tmp_path}/tools/"p* .venv/bin; fi'
    machine.add("python3", f"echo 'Python 3.13.5'; {venv}")
    machine.add("id", "echo 0")
    machine.add("apt-get", f"{NEVER_ASKS} || exit 98")
    return machine


def test_it_ends_with_the_test_command_of_the_readme() -> None:
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    [command] = re.findall(r"^## Tests\n+```sh\n(.*)\n```$", readme, re.MULTILINE)
    assert command.endswith(".venv/bin/pytest")
    assert SCRIPT.read_text(encoding="utf-8").splitlines()[-1] == command


def test_a_clean_machine(machine: Machine) -> None:
    for _ in range(2):
        done = machine.run()
        assert (done.returncode, done.stderr) == (0, "")
        assert machine.calls == [*APT, *PIP]
    assert f"installed {TOOLS}\n" in done.stdout
    assert "without Terraform: its tests are skipped\n" in done.stdout


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    for name in TOOLS.replace("jq ", "").split():
        machine.add(name)
    assert machine.run().returncode == 0
    assert machine.calls == [APT[0], "apt-get -q install -y --no-install-recommends jq", *PIP]
    machine.add("jq")
    assert machine.run().returncode == 0
    assert machine.calls == PIP


@pytest.mark.parametrize("step", ["update", "install"])
def test_without_debians_packages_it_goes_on(machine: Machine, step: str) -> None:
    machine.add("apt-get", f'[ $2 = {step} ] && {{ echo "E: cannot reach it" >&2; exit 100; }}; echo much')
    done = machine.run()
    assert (done.returncode, machine.calls[-2:]) == (0, PIP)
    assert f"E: cannot reach it\nwithout {TOOLS}: apt-get could not install them" in done.stdout


def test_nobody_but_root_installs(machine: Machine) -> None:
    machine.add("id", "echo 1000")
    done = machine.run()
    assert (done.returncode, machine.calls) == (0, PIP)
    assert f"without {TOOLS}: only root can install them" in done.stdout


def test_without_apt_it_goes_on(machine: Machine) -> None:
    (machine.folder / "tools" / "apt-get").unlink()
    done = machine.run()
    assert (done.returncode, machine.calls) == (0, PIP)
    assert f"without {TOOLS}" in done.stdout


def test_with_terraform_its_schema_is_installed(machine: Machine) -> None:
    machine.add("terraform")
    done = machine.run()
    assert (done.returncode, machine.calls) == (0, [*APT, TERRAFORM_CHECK, *PIP])
    assert "with Terraform" in done.stdout


@pytest.mark.parametrize(("tool", "last"), [("pip", PIP[0]), ("pytest", PIP[1]), ("python3", APT[1])])
def test_what_fails_makes_it_fail(machine: Machine, tool: str, last: str) -> None:
    machine.add(tool, "[ $1 != --version ] && exit 7" if tool == "python3" else "exit 7")
    assert machine.run().returncode == 7
    assert machine.calls[-1] == last


def test_a_schema_that_cannot_be_installed_makes_it_fail(machine: Machine) -> None:
    machine.add("terraform")
    machine.add("pip", "exit 7")
    assert machine.run().returncode == 7
    assert machine.calls[-1] == TERRAFORM_CHECK
