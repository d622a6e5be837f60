"""The user's config file: one TOML table without sections, read whole, edited in place."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cvsearch.config.rules import ENV_PREFIX, Rule, is_empty
from cvsearch.errors import CvsearchError

if TYPE_CHECKING:
    from tomlkit.items import Item

CONFIG_VARIABLE = ENV_PREFIX + "CONFIG"


def config_path(environ: Mapping[str, str]) -> str:
    """The config file's path, whether or not it exists: `CVSEARCH_CONFIG`, else the platform's folder."""
    if (chosen := environ.get(CONFIG_VARIABLE)) is not None:
        if is_empty(chosen):
            raise CvsearchError(f"{CONFIG_VARIABLE} is set but empty", "remove it, or give it a file")
        return os.path.abspath(os.path.expanduser(chosen))
    import platformdirs

    return str(platformdirs.user_config_path("cvsearch") / "config.toml")


def read_config(path: str, rules: Mapping[str, Rule]) -> dict[str, object]:
    """The file's values as TOML has them; nothing of no file.  Raises `CvsearchError`."""
    values = _read(path)[1]
    for name in values:
        _rule(rules, name, f"in {path}")
    return values


def write_setting(path: str, name: str, value: str, rules: Mapping[str, Rule]) -> str | None:
    """Sets one value and keeps every other line, but for the setting it takes the place of, which it returns.

    Raises `CvsearchError` and leaves the file as it was.
    """
    rival = _rule(rules, name, "to set").rival
    if rival is not None and rival not in _read(path)[1]:
        rival = None
    write_settings(path, {name: value} if rival is None else {name: value, rival: None}, rules)
    return rival


def write_settings(path: str, values: Mapping[str, str | None], rules: Mapping[str, Rule]) -> None:
    """Sets values, and removes those that are None, in one write: all of them or none.

    Every other line stays, and so does the comment beside a value that is set.  Raises `CvsearchError`
    and leaves the file as it was.
    """
    for name, value in values.items():
        if value is not None:
            rule = _rule(rules, name, "to set")
            if is_empty(value):
                raise CvsearchError(f"{name} cannot be empty", "to remove a setting, unset it")
            rule.read(value, "the command line")
    text, _ = _read(path)  # whose complaints name the line
    import tomlkit

    document = tomlkit.parse(text)
    for name, value in values.items():
        if value is not None:
            document[name] = _item(rules[name], value)
        elif name in document:
            del document[name]
    _replace(path, tomlkit.dumps(document))


def unset_setting(path: str, name: str, rules: Mapping[str, Rule]) -> bool:
    """Removes one value and keeps every other line; False if it was not there."""
    if name not in _read(path)[1]:
        _rule(rules, name, "to unset")
        return False
    write_settings(path, {name: None}, rules)
    return True


def _rule(rules: Mapping[str, Rule], name: str, where: str) -> Rule:
    """The setting of that name; an error with the nearest name otherwise."""
    if name in rules:
        return rules[name]
    import difflib

    close = difflib.get_close_matches(name.lower().replace("-", "_"), rules, n=1)
    raise CvsearchError(
        f"unknown setting {name!r} {where}",
        f"did you mean {close[0]}?" if close else "settings are: " + ", ".join(rules),
    )


def _read(path: str) -> tuple[str, dict[str, object]]:
    """The file's text, and its values as TOML has them; nothing of no file."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return "", {}
    except OSError as error:
        raise CvsearchError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CvsearchError(f"{path}: line {line}: not UTF-8", "save the file as UTF-8") from None
    import tomllib

    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at (line \d+), column \d+\)$", str(error))
        where = place[1] if place else f"line {text.count(chr(10)) + 1}"
        reason = (
            str(error).removesuffix(place[0]) if place else str(error).removesuffix(" (at end of document)")
        )
        raise CvsearchError(f"{path}: {where}: {reason}", 'a line reads: name = "value"') from None


def _item(rule: Rule, value: str) -> Item:
    """The value as TOML: bare when the setting takes it so (numbers, true, false), else quoted."""
    import tomlkit

    try:
        bare = tomlkit.value(value.strip())
        if isinstance(bare.unwrap(), int | float):
            rule.parse(bare.unwrap())
            return bare
    except ValueError:  # of which tomlkit's errors are: neither a bare value nor wanted as one
        pass
    return tomlkit.string(value)


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
