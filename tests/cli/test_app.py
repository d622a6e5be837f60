"""The command itself: exit codes, the shape of errors, help, completion, and what loading it brings in."""

import errno
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig

import album
import pytest
from places import PROJECT
from running import COMMAND, run, start, wait_until

from cvsearch import __version__
from cvsearch.errors import MEANINGS

COMMANDS = ("index", "query", "show", "status", "forget", "move", "prune", "doctor", "config")
WITH_JSON = ("index", "query", "show", "status", "doctor", "config")
NEEDED = {"show": ["x.jpg"], "forget": ["x.jpg"], "move": ["a", "b"], "query": ["red"]}


# --- Exit codes ------------------------------------------------------------------------------------


def test_the_codes_that_scripts_rely_on():
    assert {int(code) for code in MEANINGS} == {0, 1, 2, 3, 4, 5, 6, 7, 8, 129, 130, 143}


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("index", "doctor", "config")])
def test_without_an_index(cli, double, command):
    result = cli(command, *NEEDED.get(command, []))
    assert (result.code, result.out, double.calls()) == (7, b"", 0)
    assert re.fullmatch(r"error: .+\nhint: .+\n", result.err)


def test_index_of_nothing_without_an_index(cli, double):
    assert cli("index").code in (2, 7)


@pytest.mark.parametrize(
    "argv",
    [
        ["bogus"],
        ["query", "--bogus"],
        ["query", "red", "--format", "xml"],
        ["query", "red", "--metric", "manhattan"],
        ["query", "red", "--provider", "google"],
        ["query", "red", "--color", "red"],
        ["query", "red", "--min-score", "much"],
        ["query", "red", "--max-calls", "-1"],
        ["query", "red", "-i"],
        ["show"],
        ["move", "a"],
        ["move", "a", "b", "c"],
        ["status", "extra"],
        ["--index"],
        ["query", "red", "--key", "0123456789abcdef"],
        ["config", "frobnicate"],
        ["forget"],
    ],
)
def test_wrong_usage_is_two_lines_and_a_code(cli, argv):
    result = cli(*argv)
    assert (result.code, result.out) == (2, b"")
    assert re.fullmatch(r"error: .+\nhint: .+\n", result.err)
    assert not re.search("[╭│╰]|Usage:|Traceback", result.err)


@pytest.mark.parametrize(
    "option", [["--json"], ["--format", "jsonl"], ["--format", "json"], ["--format=json"]]
)
def test_with_a_json_format_the_error_is_json(cli, option):
    result = cli("query", "red", *option)
    assert (result.code, result.out) == (7, b"")
    told = json.loads(result.err)
    assert list(told) == ["error"]
    assert list(told["error"]) == ["code", "message", "hint"]
    assert told["error"]["code"] == 7
    assert told["error"]["hint"]
    assert result.err.isascii()
    assert result.err.count("\n") == 1


def test_so_are_errors_of_usage_and_of_other_commands(cli):
    for argv in (["query", "--bogus", "--json"], ["show", "--json"], ["move", "a", "--json"]):
        assert json.loads(cli(*argv).err)["error"]["code"] == 2
    assert json.loads(cli("status", "--json").err)["error"]["code"] == 7


def test_a_word_that_looks_like_the_option_is_no_option(cli):
    assert cli("query", "red", "--format", "csv").err.startswith("error: ")
    assert cli("query", "json").err.startswith("error: ")


@pytest.fixture
def slow(library, double):
    """The next reply takes longer than anyone waits."""
    double.misbehave("slow:60")
    return double


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
@pytest.mark.parametrize("command", [["query", "red"], ["doctor"]], ids=str)
def test_a_signal_ends_a_wait(slow, number, code, command):
    before = slow.calls()
    with start(*command) as running:
        wait_until(lambda: slow.calls() > before)
        running.kill(number)
        result = running.finish()
    assert result.code == code
    assert "Traceback" not in result.err
    assert result.err.startswith("error: interrupted\n")
    assert result.err.count("\n") <= 2


def test_a_signal_that_was_ignored_stays_ignored(library, double):
    """As `nohup` does it."""
    double.misbehave("slow:0.5")
    before = double.calls()
    with start("query", "red", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as running:
        wait_until(lambda: double.calls() > before)
        running.kill(signal.SIGHUP)
        assert running.finish().code == 0


def test_main_leaves_the_handlers_as_they_were(cli):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    cli("status")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_mistake_of_ours_is_told_without_a_traceback(cli, library, monkeypatch):
    def fail(*_):
        raise RuntimeError("the moon")

    monkeypatch.setattr("cvsearch.search.query.run_query", fail)
    result = cli("query", "red")
    assert result.code == 2
    assert result.err.startswith("error: this is a mistake in cvsearch: RuntimeError: the moon\nhint: ")
    shown = cli("query", "red", "--debug")
    assert shown.code == 2
    assert "Traceback" in shown.err
    assert "RuntimeError: the moon" in shown.err


def test_debug_keeps_the_exit_code(cli, library):
    result = cli("query", "red", "--offline", "--debug")
    assert result.code == 4
    assert "error: --offline forbids" in result.err


# --- Global options --------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [["--index", "here"], ["--index=here"]])
def test_global_options_stand_before_and_after_the_command(cli, home, option):
    for argv in ([*option, "status"], ["status", *option]):
        assert f"there is no index at {home / 'here'}\n" in cli(*argv).err


def test_what_stands_after_the_command_wins(cli, home):
    assert str(home / "second") in cli("--index", "first", "status", "--index", "second").err


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        (["--provider", "local"], "provider", "local"),
        (["--offline"], "offline", "true"),
        (["--color", "never"], "color", "never"),
        (["--index", "/x"], "index", "/x"),
    ],
)
def test_each_global_option_in_both_places(cli, flag, name, value):
    for argv in ([*flag, "config", "--json"], ["config", "--json", *flag]):
        told = cli(*argv).lines[0][name]
        assert (str(told["value"]).lower(), told["source"]) == (value, f"flag --{name}")


def test_quiet_leaves_errors_alone(cli, library):
    assert cli("index", "-q").err == ""
    assert cli("-q", "forget", library[0]).err == ""
    assert cli("query", "-q").err.startswith("error: ")


def test_debug_logs_each_request_and_hides_the_key(cli, library, double):
    before = cli("query", "red", "--debug")
    assert before.code == 0
    lines = [line for line in before.err.splitlines() if line.startswith("debug: ")]
    assert len(lines) == 1
    assert re.search(
        r"POST http://127\.0\.0\.1:\d+/computervision/retrieval:vectorizeText\?\S+ 200 ", lines[0]
    )
    assert double.requests[-1].request_id in lines[0]
    assert "secret" not in before.err


# --- The key ---------------------------------------------------------------------------------------


def test_the_key_is_nowhere_to_be_seen(cli, double, photos, tmp_path, monkeypatch, hurry):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    key = os.environ["CVSEARCH_KEY"]
    results = [
        cli("index", photos, "--debug", "-v", "--json"),
        cli("query", "red", "--debug", "-v"),
        cli("show", photos / "000.jpg", "--json"),
        cli("status", "--json", "-v"),
        cli("doctor", "--debug"),
        cli("config", "--json"),
        cli("config"),
    ]
    assert {result.code for result in results} == {0}
    for fault in ("401-key", "403-keys-off", "503-html", "not-json", "wrong-model"):
        double.misbehave(*[fault] * 12)
        results.append(cli("query", f"words {fault}", "--debug"))
        assert results[-1].code in (2, 4, 5), results[-1]
    monkeypatch.setenv("CVSEARCH_KEY", f"{key} with a space")
    results.append(cli("query", "other", "--debug"))
    assert results[-1].code == 4
    for result in results:
        assert key not in result.err
        assert key.encode() not in result.out
        assert key[:-4] not in result.err
    monkeypatch.setenv("CVSEARCH_KEY", key)
    for path in (tmp_path / "index").iterdir():
        data = path.read_bytes()
        assert key.encode() not in data
        assert double.endpoint.encode() not in data


# --- Help, version, completion ---------------------------------------------------------------------


@pytest.mark.parametrize("command", [*COMMANDS, ""])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_begins_with_examples(cli, command, option):
    result = cli(*[command] if command else [], option)
    assert (result.code, result.err) == (0, "")
    text = result.out.decode()
    usage, rest = text.split("\n\n", 1)
    assert usage.strip().startswith("Usage: cvsearch")
    assert rest.lstrip().startswith("Examples:\n")
    assert f"cvsearch {command}".strip() in rest
    for name in ("--index", "--provider", "--offline", "--color", "--quiet", "--verbose", "--debug"):
        assert name in text
    assert "╭" not in text


@pytest.mark.parametrize("name", [path.stem for path in (PROJECT / "cvsearch" / "cli").glob("[a-z]*.py")])
def test_examples_fit_a_terminal_of_80_columns(name):
    examples = getattr(importlib.import_module(f"cvsearch.cli.{name}"), "EXAMPLES", ())
    assert [example for example in examples if len(f"    {example}") > 78] == []


def test_help_lists_every_command(cli):
    text = cli("--help").out.decode()
    for command in COMMANDS:
        assert re.search(rf"^  {command}  +\S", text, re.MULTILINE)


def test_no_arguments_show_help(cli):
    result = cli()
    assert (result.code, result.err) == (0, "")
    assert result.out == cli("--help").out


def test_version(cli):
    result = cli("--version")
    assert (result.code, result.out, result.err) == (0, f"cvsearch {__version__}\n".encode(), "")


def test_the_module_and_the_installed_command_are_the_same():
    script = os.path.join(sysconfig.get_path("scripts"), "cvsearch")
    if not os.path.exists(script):
        pytest.skip("not installed as a command")
    for argv, code in ((["--version"], 0), (["query"], 2), (["--help"], 0)):
        results = [
            subprocess.run([*command, *argv], capture_output=True, check=False)
            for command in ([script], [sys.executable, "-m", "cvsearch"])
        ]
        assert results[0].returncode == results[1].returncode == code
        assert results[0].stdout == results[1].stdout
        assert results[0].stderr == results[1].stderr


def complete(*words):
    """What bash would be offered for the last word."""
    result = run(
        environ={
            "_CVSEARCH_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["cvsearch", *words]),
            "COMP_CWORD": str(len(words)),
        }
    )
    assert result.err == ""
    return result.out.decode().split()


def test_completion_of_commands_flags_and_values(home):
    assert set(COMMANDS) <= set(complete(""))
    assert complete("qu") == ["query"]
    assert "--min-score" in complete("query", "--m")
    assert {"--provider", "--print0"} <= set(complete("query", "--pr"))
    assert complete("query", "--format", "js") == ["jsonl", "json"]
    assert complete("query", "--provider", "") == ["auto", "azure", "local"]
    assert complete("--color", "al") == ["always"]
    assert complete("duplicates", "--keep", "") == ["largest", "oldest"]
    assert complete("duplicates", "--keep", "ol") == ["oldest"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], ["set", "unset", "import-terraform"]),
        (["i"], ["import-terraform"]),
        (["set", "e"], ["endpoint"]),
        (["set", "ke"], ["key", "key_command"]),
        (["set", "provider", ""], ["auto", "azure", "local"]),
        (["set", "color", "al"], ["always"]),
        (["set", "auth", ""], ["key", "entra"]),
        (["set", "offline", ""], ["true", "false"]),
        (["set", "key", ""], []),
        (["set", "rate", ""], []),
        (["set", "index", ""], []),
        (["set", "nothing", ""], []),
        (["unset", "k"], ["key_command"]),
        (["unset", "provider", ""], []),
        (["import-terraform", ""], []),
    ],
    ids=" ".join,
)
def test_completion_of_settings(home, monkeypatch, words, offered):
    monkeypatch.setenv("CVSEARCH_CONFIG", str(home / "config.toml"))
    (home / "config.toml").write_text('key_command = "pass azure"\njobs = 3\n')
    assert complete("config", *words) == offered


def test_completion_of_what_to_unset_in_a_file_that_cannot_be_read(home, monkeypatch):
    monkeypatch.setenv("CVSEARCH_CONFIG", str(home / "config.toml"))
    (home / "config.toml").write_text("[[[")
    assert complete("config", "unset", "k") == ["key", "key_command"]


def shown_at_tab(line, environ):
    """What an interactive bash shows when the Tab key ends a line; its settings are the user's."""
    outer, inner = os.openpty()
    with (
        open(outer, "r+b", buffering=0) as terminal,
        subprocess.Popen(["bash", "-i"], env=environ, stdin=inner, stdout=inner, stderr=inner) as bash,
    ):
        os.close(inner)
        shown = b""
        try:
            while not shown.endswith(b"ready> "):
                shown += terminal.read(4096)
            terminal.write(line.encode() + b"\t\x15exit\n")  # Ctrl-U: the line goes
            while part := terminal.read(4096):
                shown += part
        except OSError as error:  # so a terminal says that its last writer has gone
            assert error.errno == errno.EIO, error
        finally:
            bash.kill()
    return shown.decode()


def test_completion_in_bash(home):
    """Installed as the README says, and asked by the Tab key."""
    environ = {
        "HOME": str(home),
        "PATH": f"{os.path.dirname(COMMAND[0])}:{os.environ['PATH']}",
        "PS1": "ready> ",
        "TERM": "dumb",
    }
    (home / ".inputrc").write_text("set show-all-if-ambiguous on\nset enable-bracketed-paste off\n")
    (home / ".bashrc").write_text("PS1='ready> '\n")
    (home / "photo-folder").mkdir()
    before = shown_at_tab("cvsearch config ", environ)
    assert "unset" not in before
    assert "photo-folder" in before
    install = [COMMAND[0], "--install-completion", "bash"]
    done = subprocess.run(install, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"import-terraform +set +unset", shown_at_tab("cvsearch config ", environ))
    assert "cvsearch config set endpoint" in shown_at_tab("cvsearch config set e", environ)
    assert "import-terraform photo-folder/" in shown_at_tab("cvsearch config import-terraform p", environ)


# --- What loading brings in ------------------------------------------------------------------------

HEAVY = ("httpx", "numpy", "PIL", "onnxruntime", "rich", "pathspec", "filelock", "azure", "tomllib")


@pytest.mark.parametrize("argv", [["--help"], ["query", "--help"], ["index", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(home, argv):
    program = (
        "import sys; from cvsearch.cli.app import main; main(sys.argv[1:]); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *argv], capture_output=True, check=True, text=True, timeout=30
    )
    loaded = set(result.stderr.split())
    assert loaded & set(HEAVY) == set()
    assert "typer" in loaded


def test_a_cached_query_loads_neither_httpx_nor_pillow_nor_rich(library, cli):
    assert cli("query", "red").code == 0
    program = (
        "import sys; from cvsearch.cli.app import main; main(['query', 'red']); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert set(result.stderr.split()) & {"httpx", "PIL", "rich", "onnxruntime", "ssl"} == set()


def test_with_no_stdout_or_stderr_at_all(library):
    """As a daemon may start it."""
    for closed in (1, 2):
        with start("query", "red", preexec_fn=lambda handle=closed: os.close(handle)) as running:
            result = running.finish()
        assert "Traceback" not in result.err
    with start("status", stdin=None, preexec_fn=lambda: os.close(0)) as running:
        assert running.finish().code == 0


def test_the_working_folder_is_gone(library, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    os.chdir(folder)
    folder.rmdir()
    try:
        result = subprocess.run(
            [sys.executable, "-c", "from cvsearch.cli.app import run; run()", "query", "red"],
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
        )
    finally:
        os.chdir(tmp_path)
    assert b"Traceback" not in result.stderr


def test_a_name_that_is_not_utf8_on_the_command_line(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    album.fill(folder, 2)
    assert cli("index", folder).code == 0
    result = run("query", "red", "-0", "--under", folder)
    assert result.out.count(os.fsencode(folder)) == 2
