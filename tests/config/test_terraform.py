"""`cvsearch config import-terraform`: from what Terraform deployed to a first query."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from azure_double import AzureDouble
from running import Cli

KEY = "0123456789abcdef-secret-key"
ENDPOINT = "https://photos-1a2b3c4d.cognitiveservices.azure.com"
TERRAFORM = shutil.which("terraform")


@pytest.fixture
def file(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config file, not there yet."""
    path = home / "config.toml"
    monkeypatch.setenv("CVSEARCH_CONFIG", str(path))
    return path


def outputs(**values: str | None) -> bytes:
    """``terraform output -json``: as the module deploys it, but for the values given; None leaves one out."""
    every = {"cvsearch_endpoint": ENDPOINT + "/", "cvsearch_auth": "key", "cvsearch_key": KEY, **values}
    rest: dict[str, Any] = {"account_id": {"sensitive": False, "type": "string", "value": "/subscriptions/1"}}
    known = {name: value for name, value in every.items() if value is not None}
    return json.dumps(
        rest
        | {
            name: {"sensitive": name == "cvsearch_key", "type": "string", "value": value}
            for name, value in known.items()
        }
    ).encode()


ENTRA = outputs(cvsearch_auth="entra", cvsearch_key=None)


def written(file: Path) -> dict[str, object]:
    return tomllib.loads(file.read_text())


@pytest.fixture
def terraform(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `terraform` that prints ``answer``, or fails with ``complaint``; its calls are in ``calls``."""
    tools = home / "tools"
    tools.mkdir()
    script = tools / "terraform"
    script.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, sys\n"
        f"here = pathlib.Path({str(tools)!r})\n"
        "with (here / 'calls').open('a') as calls:\n"
        "    print(os.getcwd(), *sys.argv[1:], file=calls)\n"
        "if (here / 'complaint').exists():\n"
        "    sys.exit((here / 'complaint').read_text())\n"
        "sys.stdout.write((here / 'answer').read_text())\n"
    )
    script.chmod(0o755)
    (tools / "answer").write_bytes(outputs())
    monkeypatch.setenv("PATH", str(tools))
    return tools


def module(folder: Path) -> Path:
    """A folder with a Terraform file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "main.tf").touch()
    return folder


# --- what is written ---------------------------------------------------------------------------


def test_the_whole_way(cli: Cli, file: Path, double: AzureDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)
    done = cli(
        "config", "import-terraform", "-", "--with-key", stdin=outputs(cvsearch_endpoint=double.endpoint)
    )
    assert (done.code, done.out) == (0, b"")
    doctor = cli("doctor")
    assert doctor.code == 0, doctor.out
    assert b"signed in and answered" in doctor.out
    assert cli("query", "a red car").code == 7  # nothing is indexed; but Azure is chosen


def test_entra_the_whole_way(
    cli: Cli, file: Path, double: AzureDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)
    double.tokens = {"a-token"}
    monkeypatch.setattr(
        "cvsearch.providers.azure.sign_in.EntraCredential.header",
        lambda self: ("Authorization", "Bearer a-token"),
    )
    given = outputs(cvsearch_endpoint=double.endpoint, cvsearch_auth="entra", cvsearch_key=None)
    assert cli("config", "import-terraform", "-", stdin=given).code == 0
    doctor = cli("doctor")
    assert doctor.code == 0, doctor.out
    assert b"signing in by entra" in doctor.out


def test_the_key_is_written_only_when_it_is_asked_for(cli: Cli, file: Path) -> None:
    without = cli("config", "import-terraform", "-", stdin=outputs())
    assert without.code == 0
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key"}
    assert "no key was written: use --with-key" in without.err
    assert "cvsearch config set key_command 'terraform output -raw cvsearch_key'" in without.err
    with_key = cli("config", "import-terraform", "-", "--with-key", stdin=outputs())
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key", "key": KEY}
    assert f"written to {file}: endpoint {ENDPOINT}, auth key, key\n" in with_key.err
    assert with_key.err.endswith("cvsearch doctor checks it\n")
    assert KEY not in without.err + with_key.err
    assert file.stat().st_mode & 0o777 == 0o600


def test_with_keys_off_it_sets_entra_and_removes_the_old_key(cli: Cli, file: Path) -> None:
    file.write_text(f'# mine\nkey = "{KEY}"\nrate = 5\n')
    file.chmod(0o600)
    done = cli("config", "import-terraform", "-", stdin=ENTRA)
    assert done.code == 0
    assert written(file) == {"rate": 5, "endpoint": ENDPOINT, "auth": "entra"}
    assert file.read_text().startswith("# mine\n")
    assert f"key removed from {file}: keys are switched off in this deployment" in done.err
    assert "pip install 'cvsearch[entra]'" in done.err


def test_with_keys_off_with_key_writes_none_and_says_so(cli: Cli, file: Path) -> None:
    done = cli("config", "import-terraform", "-", "--with-key", stdin=ENTRA)
    assert (done.code, written(file)) == (0, {"endpoint": ENDPOINT, "auth": "entra"})
    assert "no key was written: keys are switched off" in done.err


def test_a_null_key_is_no_key(cli: Cli, file: Path) -> None:
    given = json.loads(ENTRA) | {"cvsearch_key": {"sensitive": True, "type": "string", "value": None}}
    assert cli("config", "import-terraform", "-", "--with-key", stdin=json.dumps(given).encode()).code == 0
    assert "key" not in written(file)


def test_a_key_takes_the_place_of_a_key_command(cli: Cli, file: Path) -> None:
    file.write_text('key_command = "pass azure"\n')
    done = cli("config", "import-terraform", "-", "--with-key", stdin=outputs())
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key", "key": KEY}
    assert f"key_command removed from {file}" in done.err


OLD_KEY = "fedcba9876543210-older-key"
OLDER = f'endpoint = "https://older.cognitiveservices.azure.com"\nkey = "{OLD_KEY}"\n'


@pytest.mark.parametrize("old", [ENDPOINT, ENDPOINT.upper() + "/computervision/"])
def test_a_key_of_the_same_resource_stays(cli: Cli, file: Path, old: str) -> None:
    file.write_text(f'endpoint = "{old}"\nkey = "{OLD_KEY}"\n')
    done = cli("config", "import-terraform", "-", stdin=outputs())
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key", "key": OLD_KEY}
    assert f"the key in {file} stays; --with-key writes the deployment's key instead" in done.err
    assert "removed" not in done.err


@pytest.mark.parametrize(
    ("old", "reason"),
    [
        (
            'endpoint = "https://older.cognitiveservices.azure.com"',
            "it is of another resource, older.cognitiveservices.azure.com",
        ),
        ("", "no endpoint says whose it is"),
        ('endpoint = ""', "no endpoint says whose it is"),
        ('endpoint = "https://me:pass@older"', "no endpoint says whose it is"),
    ],
    ids=["another", "none", "empty", "no address"],
)
def test_a_key_of_another_resource_goes(cli: Cli, file: Path, old: str, reason: str) -> None:
    file.write_text(f'rate = 5\nkey = "{OLD_KEY}"\n{old}\n')
    done = cli("config", "import-terraform", "-", stdin=outputs())
    assert done.code == 0
    assert written(file) == {"rate": 5, "endpoint": ENDPOINT, "auth": "key"}
    assert f"key removed from {file}: {reason}\n" in done.err
    assert "no key was written: use --with-key, or cvsearch config set key" in done.err
    assert OLD_KEY not in done.err
    assert KEY not in done.err


def test_a_new_key_takes_the_place_of_another_resources(cli: Cli, file: Path) -> None:
    file.write_text(OLDER)
    done = cli("config", "import-terraform", "-", "--with-key", stdin=outputs())
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key", "key": KEY}
    assert "removed" not in done.err
    assert OLD_KEY not in done.err


def test_a_key_command_stays_for_it_may_print_the_new_key(cli: Cli, file: Path) -> None:
    file.write_text(OLDER + 'key_command = "pass azure"\n')
    done = cli("config", "import-terraform", "-", stdin=outputs())
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key", "key_command": "pass azure"}
    assert f"the key_command in {file} stays" in done.err


def test_it_is_one_write(cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('key_command = "pass azure"\n')
    replaced = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: replaced.append(paths) or replace(*paths))
    assert cli("config", "import-terraform", "-", "--with-key", stdin=outputs()).code == 0
    assert len(replaced) == 1
    assert written(file) == {"endpoint": ENDPOINT, "auth": "key", "key": KEY}


def test_a_write_that_fails_changes_nothing(cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(OLDER)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    done = cli("config", "import-terraform", "-", stdin=outputs())
    assert (done.code, done.err) == (2, f"error: {file}: cannot be written: No space left on device\n")
    assert file.read_text() == OLDER
    assert [one.name for one in file.parent.iterdir()] == ["config.toml"]


def test_a_value_of_several_lines_is_one_value(cli: Cli, file: Path) -> None:
    file.write_text('key = """\nauth = "key"\n"""  # mine\nauth = "key"  # for now\nrate = 5\n')
    done = cli("config", "import-terraform", "-", stdin=ENTRA)
    assert done.code == 0
    assert file.read_text() == f'auth = "entra"  # for now\nrate = 5\nendpoint = "{ENDPOINT}"\n'


@pytest.mark.parametrize("text", ["rate = \n", 'colour = "red"\n'])
def test_a_file_that_is_wrong_is_left_alone(cli: Cli, file: Path, text: str) -> None:
    file.write_text(text)
    done = cli("config", "import-terraform", "-", stdin=outputs())
    assert done.code == 2
    assert str(file) in done.err
    assert "written to" not in done.err
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("variable", "argv", "given", "told"),
    [
        ("ENDPOINT", (), outputs(), True),
        ("AUTH", (), ENTRA, True),
        ("KEY", ("--with-key",), outputs(), True),
        ("KEY", (), outputs(), True),
        ("KEY_COMMAND", ("--with-key",), outputs(), True),
        ("KEY", (), ENTRA, False),
        ("KEY_COMMAND", (), ENTRA, False),
        ("RATE", (), outputs(), False),
    ],
)
def test_it_says_what_goes_before_the_file(
    cli: Cli,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    argv: tuple[str, ...],
    given: bytes,
    told: bool,
) -> None:
    monkeypatch.setenv(f"CVSEARCH_{variable}", OLD_KEY)
    done = cli("config", "import-terraform", "-", *argv, stdin=given)
    assert done.code == 0, done.err
    note = (
        f"note: CVSEARCH_{variable} is in your environment and goes before {file}; unset it to use the file's"
    )
    assert (note in done.err) is told
    assert OLD_KEY not in done.err


def test_with_a_key_in_the_environment_none_is_missed(
    cli: Cli, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CVSEARCH_KEY", OLD_KEY)
    done = cli("config", "import-terraform", "-", stdin=outputs())
    assert "no key was written" not in done.err


def test_quiet_says_nothing(cli: Cli, file: Path) -> None:
    done = cli("config", "import-terraform", "-", "-q", stdin=outputs())
    assert (done.code, done.out, done.err) == (0, b"", "")


# --- where it comes from -----------------------------------------------------------------------


def test_a_folder(cli: Cli, file: Path, home: Path, terraform: Path) -> None:
    folder = module(home / "my azure")
    done = cli("config", "import-terraform", "my azure")
    assert done.code == 0, done.err
    assert (terraform / "calls").read_text() == f"{folder} output -json -no-color\n"
    assert f"""'terraform -chdir='"'"'{folder}'"'"' output -raw cvsearch_key'""" in done.err


@pytest.mark.parametrize(("place", "found"), [("terraform", "terraform"), (".", ".")])
def test_without_a_folder(cli: Cli, file: Path, home: Path, terraform: Path, place: str, found: str) -> None:
    module(home / place)
    assert cli("config", "import-terraform").code == 0
    assert (terraform / "calls").read_text().split()[0] == str((home / found).resolve())


def test_without_a_folder_and_without_files(cli: Cli, file: Path, terraform: Path) -> None:
    done = cli("config", "import-terraform")
    assert done.code == 2
    assert "there are no Terraform files in" in done.err
    assert not (terraform / "calls").exists()


def test_offline_reads_only_a_pipe(cli: Cli, file: Path, home: Path, terraform: Path) -> None:
    module(home)
    done = cli("config", "import-terraform", "--offline")
    assert done.code == 4
    assert "--offline forbids" in done.err
    assert not (terraform / "calls").exists()
    assert cli("config", "import-terraform", "-", "--offline", stdin=outputs()).code == 0


# --- errors ------------------------------------------------------------------------------------


def test_terraform_is_missing(cli: Cli, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module(home)
    monkeypatch.setenv("PATH", str(home))
    done = cli("config", "import-terraform")
    assert done.code == 2
    assert done.err.splitlines()[0] == "error: terraform is not on your PATH"
    assert "terraform output -json | cvsearch config import-terraform -" in done.err


def test_terraform_fails(cli: Cli, file: Path, home: Path, terraform: Path) -> None:
    module(home)
    (terraform / "complaint").write_text("╷\n│ Error: Backend initialization required\n│\n│ Reason: …\n╵\n")
    done = cli("config", "import-terraform")
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        f"error: terraform output failed in {home}: Backend initialization required"
    )


def test_the_folder_is_missing(cli: Cli, file: Path, terraform: Path) -> None:
    done = cli("config", "import-terraform", "nowhere")
    assert done.code == 2
    assert "nowhere is not a folder" in done.err


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (b"{}", "there are no outputs in standard input: nothing is deployed from there yet"),
        (b"", "what came from standard input is not the JSON of terraform output"),
        (b"No outputs found", "is not the JSON"),
        (b"\xff\xfe\xfa", "is not the JSON"),
        (b'["secret-key"]', "is not the JSON"),
        (b'{"cvsearch_endpoint": "secret-key", "cvsearch_auth": "key"}', "is not the JSON"),
        (outputs(cvsearch_endpoint=None), "have no cvsearch_endpoint"),
        (outputs(cvsearch_auth=None), "have no cvsearch_auth"),
        (outputs(cvsearch_auth="secret-key"), "is neither key nor entra"),
        (outputs(cvsearch_key=None), "its outputs have no cvsearch_key"),
        (outputs(cvsearch_key=" "), "cvsearch_key from standard input is no text, or empty"),
        (outputs(cvsearch_endpoint="http://example.com"), "without encryption"),
    ],
)
def test_what_cannot_be_taken_over(cli: Cli, file: Path, given: bytes, complaint: str) -> None:
    done = cli("config", "import-terraform", "-", "--with-key", stdin=given)
    assert done.code == 2
    assert complaint in done.err
    assert done.err.count("\n") == 2
    assert "secret-key" not in done.err
    assert not file.exists()


@pytest.mark.parametrize(
    "argv", [("set", "rate", "5", "--with-key"), ("--with-key",), ("import-terraform", ".", "more")]
)
def test_wrong_usage(cli: Cli, file: Path, argv: tuple[str, ...]) -> None:
    assert cli("config", *argv).code == 2
    assert not file.exists()


def test_the_help_shows_it(cli: Cli) -> None:
    assert b"cvsearch config import-terraform DIR --with-key" in cli("config", "--help").out


# --- with Terraform itself ---------------------------------------------------------------------


@pytest.mark.skipif(TERRAFORM is None, reason="Terraform is not installed: no command 'terraform'")
def test_with_terraform_itself(cli: Cli, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")
    folder = module(home / "terraform")
    done = cli("config", "import-terraform")
    assert (done.code, "nothing is deployed" in done.err) == (2, True), done.err
    (folder / "main.tf").write_text(
        f'output "cvsearch_endpoint" {{\n  value = "{ENDPOINT}/"\n}}\n'
        'output "cvsearch_auth" {\n  value = "entra"\n}\n'
        'output "cvsearch_key" {\n  value     = null\n  sensitive = true\n}\n'
    )
    subprocess.run(["terraform", "apply", "-auto-approve"], cwd=folder, check=True, capture_output=True)
    done = cli("config", "import-terraform", "--with-key")
    assert (done.code, written(file)) == (0, {"endpoint": ENDPOINT, "auth": "entra"}), done.err
