"""The user's config file: one TOML table without sections, read whole, edited a line at a time."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from cvsearch.config.rules import ENV_PREFIX, RULES, Rule, is_empty
from cvsearch.errors import CvsearchError

CONFIG_VARIABLE = ENV_PREFIX + "CONFIG"

_RIVALS = {"key": "key_command", "key_command": "key"}
"""Settings of which a file can have but one."""


def config_path(environ: Mapping[str, str]) -> str:
    """The config file's path, whether or not it exists: `CVSEARCH_CONFIG`, else the platform's folder."""
    if (chosen := environ.get(CONFIG_VARIABLE)) is not None:
        if is_empty(chosen):
            raise CvsearchError(f"{CONFIG_VARIABLE} is set but empty", "remove it, or give it a file")
        return os.path.abspath(os.path.expanduser(chosen))
    import platformdirs

    return str(platformdirs.user_config_path("cvsearch") / "config.toml")


def read_config(path: str) -> dict[str, object]:
    """The file's values as TOML has them; nothing of no file.  Raises `CvsearchError`."""
    settings = _parse(path, _read(path))
    for name in settings:
        _rule(name, f"in {path}")
    return settings


def write_setting(path: str, name: str, value: str) -> str | None:
    """Sets one value and keeps every other line, but for the setting it takes the place of, which it returns.

    Raises `CvsearchError` and leaves the file as it was.
    """
    rival = _RIVALS.get(name)
    if rival is not None and rival not in _parse(path, _read(path)):
        rival = None
    write_settings(path, {name: value} if rival is None else {name: value, rival: None})
    return rival


def write_settings(path: str, values: Mapping[str, str | None]) -> None:
    """Sets values, and removes those that are None, in one write: all of them or none.

    Every other line stays.  Raises `CvsearchError` and leaves the file as it was.
    """
    lines = {name: None if value is None else _line(name, value) for name, value in values.items()}
    text = _read(path)
    for name, line in lines.items():
        text = _edited(path, text, name, line)
    _replace(path, text)


def unset_setting(path: str, name: str) -> bool:
    """Removes one value and keeps every other line; False if it was not there."""
    if name not in _parse(path, _read(path)):
        _rule(name, "to unset")
        return False
    write_settings(path, {name: None})
    return True


def _rule(name: str, where: str) -> Rule:
    """The setting of that name; an error with the nearest name otherwise."""
    if name in RULES:
        return RULES[name]
    import difflib

    close = difflib.get_close_matches(name.lower().replace("-", "_"), RULES, n=1)
    raise CvsearchError(
        f"unknown setting {name!r} {where}",
        f"did you mean {close[0]}?" if close else "settings are: " + ", ".join(RULES),
    )


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise CvsearchError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CvsearchError(f"{path}: line {line}: not UTF-8", "save the file as UTF-8") from None


def _parse(path: str, text: str) -> dict[str, object]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at (line \d+), column \d+\)$", str(error))
        line = place[1] if place else f"line {text.count(chr(10)) + 1}"
        reason = (
            str(error).removesuffix(place[0]) if place else str(error).removesuffix(" (at end of document)")
        )
        raise CvsearchError(f"{path}: {line}: {reason}", 'a line reads: name = "value"') from None


def _line(name: str, value: str) -> str:
    """A setting as the file has it, once it is known to be allowed."""
    rule = _rule(name, "to set")
    if is_empty(value):
        raise CvsearchError(f"{name} cannot be empty", "to remove a setting, unset it")
    rule.read(value, "the command line")
    return f"{name} = {_toml(rule, value)}"


def _toml(rule: Rule, value: str) -> str:
    """The value as TOML: bare when the setting takes it so (numbers, true, false), else quoted."""
    import json
    import tomllib

    try:
        bare = tomllib.loads(f"value = {value.strip()}")["value"]
        if isinstance(bare, int | float):
            rule.parse(bare)
            return value.strip()
    except ValueError:  # of which TOMLDecodeError is one: neither a bare value nor wanted as one
        pass
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _edited(path: str, text: str, name: str, line: str | None) -> str:
    """The text with one setting's line replaced, added or (None) removed, proved by reading the result."""
    # What else is wrong in the file must not stand in the way of mending it.
    before = _parse(path, text)
    wanted = {key: value for key, value in before.items() if key != name}
    if line is not None:
        wanted |= _parse(path, line)
    after = _with_line(text, name, line) if name in before else _with_more(text, line)
    try:
        proved = _parse(path, after) == wanted
    except CvsearchError:
        proved = False
    if not proved:
        raise CvsearchError(
            f"{path}: cannot change {name} without touching the rest", "edit the file by hand"
        )
    return after


def _with_line(text: str, name: str, line: str | None) -> str:
    lines = text.split("\n")
    names = re.compile(rf"""\s*(['"]?){re.escape(name)}\1\s*=""")
    for number, old in enumerate(lines):
        if names.match(old):
            lines[number : number + 1] = [] if line is None else [line + _comment(old)]
            break
    return "\n".join(lines)


def _with_more(text: str, line: str | None) -> str:
    return text if line is None else text + ("\n" if text and not text.endswith("\n") else "") + line + "\n"


def _comment(line: str) -> str:
    """The comment that ends a line, with the space before it; a # inside a value is none."""
    import tomllib

    for found in re.finditer(r"\s*#|\s*$", line):
        try:
            tomllib.loads(line[: found.start()])
        except tomllib.TOMLDecodeError:
            continue
        return line[found.start() :]
    return ""


def _replace(path: str, text: str) -> None:
    """Puts the text in the file's place at once, readable by its owner alone, behind any symbolic link."""
    import tempfile

    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    try:
        data = text.encode()
        os.makedirs(folder, mode=0o700, exist_ok=True)
        # mkstemp's files have mode 0600, which is what a file that may hold a key should have.
        handle, temporary = tempfile.mkstemp(prefix=".config-", suffix=".toml", dir=folder)
        try:
            with open(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except UnicodeEncodeError:
        raise CvsearchError(f"{path}: a value that is not UTF-8 cannot be kept in it") from None
    except OSError as error:
        raise CvsearchError(f"{path}: cannot be written: {error.strerror}") from None
