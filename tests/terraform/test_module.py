"""The Terraform module: formatted, valid by azurerm's real schema, and doing what it says.

Terraform asks a stand-in for azurerm (`terraform_stub`), so nothing is installed, sent or deployed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from places import PROJECT, SUPPORT

MODULE = PROJECT / "terraform"
STUB = SUPPORT / "terraform_stub.py"
PACKAGES = ("tf", "cdktn_provider_azurerm")
INSTALL = "pip install -e '.[terraform-check]'"
LEAST = (1, 7)
Terraform = Callable[..., subprocess.CompletedProcess[str]]


def why_not(path: str | None = None) -> str:
    """Why nothing can be tested with the Terraform on the path; empty when it can."""
    command = shutil.which("terraform", path=path)
    if command is None:
        return "Terraform is not installed: no command 'terraform'"
    environ = {**os.environ, "CHECKPOINT_DISABLE": "1"}
    done = subprocess.run(
        [command, "version", "-json"], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        return f"Terraform does not tell its version: {done.stderr.strip()}"
    version = json.loads(done.stdout)["terraform_version"]
    if tuple(map(int, version.split(".")[:2])) >= LEAST:
        return ""
    return f"Terraform {version} is older than {'.'.join(map(str, LEAST))}, which brought mock_provider"


WHY_NOT = why_not()
needs_terraform = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
needs_stub = pytest.mark.skipif(
    importlib.util.find_spec("tf") is None, reason=f"azurerm's schema is not installed: {INSTALL}"
)


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Terraform with nothing of the user's: no settings, no sign-in, no version check."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "ARM_"))}
    settings = tmp_path_factory.mktemp("terraform") / "settings.tfrc"
    settings.write_text("")
    return {**ours, "CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": str(settings), "TF_IN_AUTOMATION": "1"}


@pytest.fixture(scope="module")
def azurerm(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which Terraform finds azurerm's schema."""
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        pytest.skip(f"azurerm's schema is not installed, no package {' and '.join(missing)}: {INSTALL}")
    folder = tmp_path_factory.mktemp("azurerm")
    extract_schema(folder / "schema")
    with serve_schema(folder / "schema", folder / "complaints") as reattach:
        yield {**environ, "TF_REATTACH_PROVIDERS": reattach}


def extract_schema(schema: Path) -> None:
    """Writes azurerm's schema; fails with what the stub says."""
    command = [sys.executable, STUB, "extract", schema, MODULE]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"azurerm's schema cannot be read: {INSTALL}\n{done.stderr}", pytrace=False)


@contextmanager
def serve_schema(schema: Path, complaints: Path) -> Iterator[str]:
    """A running stub, by what tells Terraform where it is; fails with what it says when it does not start."""
    command = [sys.executable, "-u", STUB, "serve", schema]
    with (
        complaints.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as stub,
    ):
        assert stub.stdout
        said = "".join(stub.stdout.readline() for _ in range(3))
        found = re.search("TF_REATTACH_PROVIDERS='(.*)'", said)
        try:
            if not found:
                complaint = said + complaints.read_text()
                pytest.fail(f"the stub did not start: {INSTALL}\n{complaint}", pytrace=False)
            yield found[1]
        finally:
            stub.send_signal(signal.SIGINT)


@pytest.fixture
def terraform(azurerm: dict[str, str]) -> Terraform:
    """Runs Terraform in a folder: ``terraform(folder, "validate")``."""

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["terraform", *arguments, "-no-color"]
        return subprocess.run(command, cwd=folder, env=azurerm, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The module's files, to be spoilt."""
    folder = tmp_path / "module"
    folder.mkdir()
    for file in MODULE.glob("*.tf"):
        shutil.copy(file, folder)
    return folder


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert re.search(old, text), old
    file.write_text(re.sub(old, new, text, count=1))


def faults(terraform: Terraform, folder: Path) -> list[str]:
    """What ``terraform validate`` complains of."""
    done = terraform(folder, "validate", "-json")
    assert done.stdout, done.stderr
    return [f"{one['summary']}: {one['detail']}" for one in json.loads(done.stdout)["diagnostics"]]


@pytest.fixture
def half_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages are there, but what they need is not."""
    for name in ("grpc", "google"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('there is no {name}')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@needs_stub
def test_what_keeps_the_schema_from_being_read_is_said(half_installed: None, tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="there is no google"):
        extract_schema(tmp_path / "schema")


@needs_stub
def test_what_keeps_the_stub_from_starting_is_said(half_installed: None, tmp_path: Path) -> None:
    (tmp_path / "google.py").unlink()
    with (
        pytest.raises(pytest.fail.Exception, match=r"(?s)did not start.*there is no grpc"),
        serve_schema(tmp_path / "schema", tmp_path / "complaints"),
    ):
        pytest.fail("it started")


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.6.6", "Terraform 1.6.6 is older than 1.7, which brought mock_provider"),
        ("1.7.0-rc1", ""),
        ("1.11.4", ""),
        ("2.0.0", ""),
    ],
)
def test_a_terraform_that_is_too_old_is_not_used(tmp_path: Path, version: str, reason: str) -> None:
    answer = json.dumps({"terraform_version": version})
    (tmp_path / "terraform").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (tmp_path / "terraform").chmod(0o755)
    assert why_not(str(tmp_path)) == reason


def test_a_terraform_that_does_not_run_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "terraform").write_text("#!/bin/sh\necho 'no version is chosen' >&2\nexit 1\n")
    (tmp_path / "terraform").chmod(0o755)
    assert why_not(str(tmp_path)) == "Terraform does not tell its version: no version is chosen"


def test_without_terraform_that_is_said(tmp_path: Path) -> None:
    assert "not installed" in why_not(str(tmp_path))


@needs_terraform
def test_is_formatted(environ: dict[str, str]) -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(MODULE)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_terraform
def test_is_valid(terraform: Terraform) -> None:
    assert faults(terraform, MODULE) == []


@needs_terraform
def test_does_what_it_says(terraform: Terraform) -> None:
    done = terraform(MODULE, "test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! \d+ passed, 0 failed\.", done.stdout)


@needs_terraform
@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("sku_name ", "sku ", 'An argument named "sku" is not expected here.'),
        (r"sku_name [^\n]*", "", 'The argument "sku_name" is required'),
        (r"kind [^\n]*", "kind = []", 'Inappropriate value for attribute "kind": string required'),
        ('type = "SystemAssigned"', "", 'The argument "type" is required'),
        ("network_acls. {", 'network_rules" {', 'Blocks of type "network_rules" are not expected here.'),
        (
            "identity {",
            "identity {\n  }\n  identity {",
            'No more than 1 "identity"',
        ),
    ],
    ids=[
        "the original's sku",
        "no sku_name",
        "a wrong type",
        "a block without its argument",
        "an unknown block",
        "a block too many",
    ],
)
def test_a_wrong_resource_is_refused(
    terraform: Terraform, copy: Path, old: str, new: str, complaint: str
) -> None:
    change(copy / "main.tf", rf'(?s)(resource "azurerm_cognitive_account".*?){old}', rf"\g<1>{new}")
    assert complaint in "\n".join(faults(terraform, copy))


@needs_terraform
def test_the_originals_endpoint_resource_is_refused(terraform: Terraform, copy: Path) -> None:
    with (copy / "main.tf").open("a") as file:
        file.write('resource "azurerm_cognitive_account_endpoint" "vision" {}\n')
    (fault,) = faults(terraform, copy)
    assert fault.startswith("Invalid resource type")
    assert '"azurerm_cognitive_account_endpoint"' in fault


@needs_terraform
def test_an_output_of_nothing_is_refused(terraform: Terraform, copy: Path) -> None:
    change(copy / "outputs.tf", r"vision\.endpoint", "vision.address")
    (fault,) = faults(terraform, copy)
    assert 'no argument, nested block, or exported attribute named "address"' in fault


def plan(terraform: Terraform, folder: Path, variables: str = "") -> tuple[int, str]:
    """The exit code and the words of a plan against the mocked azurerm."""
    (folder / "tests").mkdir()
    given = f"variables {{\n  {variables}\n}}"
    (folder / "tests" / "plan.tftest.hcl").write_text(
        f'mock_provider "azurerm" {{}}\n{given}\nrun "plan" {{\n  command = plan\n}}\n'
    )
    done = terraform(folder, "test")
    return done.returncode, " ".join(re.sub("[│╷╵]", " ", done.stdout + done.stderr).split())


@needs_terraform
def test_an_output_that_shows_the_key_is_refused(terraform: Terraform, copy: Path) -> None:
    change(copy / "outputs.tf", r"sensitive\s*= true", "")
    code, words = plan(terraform, copy)
    assert code == 1
    assert "Output refers to sensitive values" in words


@needs_terraform
@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("location", "brazilsouth", "The region brazilsouth serves no multimodal embeddings"),
        ("sku", "S0", "The tier is F0 (free) or S1 (paid by the call)."),
    ],
)
def test_a_bad_value_is_refused(
    terraform: Terraform, copy: Path, variable: str, value: str, complaint: str
) -> None:
    code, words = plan(terraform, copy, f'{variable} = "{value}"')
    assert code == 1
    assert complaint in words


@needs_terraform
def test_each_bad_rule_is_refused_for_its_reason(terraform: Terraform, copy: Path) -> None:
    rules = '"example.com", "203.0.113.7/32", "0.0.0.0/0", "203.0.113.7/24", "127.0.0.1"'
    code, words = plan(terraform, copy, f"network_rules = {{ ip_rules = [{rules}] }}")
    assert code == 1
    assert words.count("Error: Invalid value for variable") == 5
    assert "takes IPv4 addresses such as 203.0.113.7 and ranges" in words
    assert "Azure takes no /31 or /32 in ip_rules" in words
    assert "A range that ends with /0 lets the whole internet in" in words
    assert "A range in ip_rules begins with its first address" in words
    assert "It never sees private ones (10., 100.64. to 100.127.," in words


def configured(terraform: Terraform, folder: Path, **variables: str) -> dict[str, Any]:
    """What azurerm is told before a plan, but for what is null or empty."""
    given = [f"-var={name}={value}" for name, value in variables.items()]
    told = [json.loads(line) for line in terraform(folder, "plan", "-json", *given).stdout.splitlines()]
    (reason,) = [one["diagnostic"] for one in told if "diagnostic" in one]
    assert reason["summary"] == "configured", reason
    return dict(without_nothing(json.loads(reason["detail"])))


def without_nothing(value: Any) -> Any:
    """The value without what is null in it, or an empty block."""
    if isinstance(value, dict):
        return {name: without_nothing(one) for name, one in value.items() if one not in (None, [])}
    return [without_nothing(one) for one in value] if isinstance(value, list) else value


@needs_terraform
def test_azurerm_purges_registers_one_service_and_takes_the_subscription_from_the_environment(
    terraform: Terraform, copy: Path
) -> None:
    assert configured(terraform, copy) == {
        "resource_provider_registrations": "none",
        "resource_providers_to_register": ["Microsoft.CognitiveServices"],
        "features": [{"cognitive_account": [{"purge_soft_delete_on_destroy": True}]}],
    }


@needs_terraform
def test_azurerm_does_otherwise_where_that_is_asked(terraform: Terraform, copy: Path) -> None:
    subscription = "11111111-2222-3333-4444-555555555555"
    told = configured(
        terraform,
        copy,
        subscription_id=subscription,
        purge_on_destroy="false",
        register_resource_provider="false",
    )
    assert told == {
        "subscription_id": subscription,
        "resource_provider_registrations": "none",
        "features": [{"cognitive_account": [{"purge_soft_delete_on_destroy": False}]}],
    }


def test_the_versions_it_takes_are_those_it_says() -> None:
    wanted = (MODULE / "versions.tf").read_text()
    (azurerm,) = re.findall(r'^\s+version\s*= "(.*)"$', wanted, re.MULTILINE)
    (least,) = re.findall(r'^\s+required_version\s*= ">= (\d+\.\d+)\.0"$', wanted, re.MULTILINE)
    page = (MODULE / "README.md").read_text()
    assert f"It works with azurerm 4 and 5 (`{azurerm}`) and Terraform {least} or newer" in page
    assert f"**Terraform** {least} or newer." in page


def test_the_regions_it_takes_are_those_of_the_documents() -> None:
    (taken,) = re.findall(r"regions = \[(.*?)\]", (MODULE / "main.tf").read_text(), re.DOTALL)
    page = (MODULE.parent / "docs" / "providers.md").read_text()
    (listed,) = re.findall(r"\beastus(?:,\s+\w+)+", page)
    assert sorted(re.findall(r'"(\w+)"', taken)) == sorted(re.split(r",\s+", listed))


def test_only_files_that_belong_to_it_lie_in_the_module() -> None:
    """A state holds the key: it must never be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=MODULE,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert [name for name in listed.split() if ".tfstate" in name or name.endswith(".tfvars")] == []


@pytest.mark.parametrize(
    "name", ["terraform.tfstate", "terraform.tfvars", ".terraform.lock.hcl", "cvsearch.tfplan"]
)
def test_git_ignores_what_terraform_leaves(name: str) -> None:
    done = subprocess.run(["git", "check-ignore", "--quiet", name], cwd=MODULE, check=False)
    if done.returncode == 128:
        pytest.skip("this is no clone")
    assert done.returncode == 0
