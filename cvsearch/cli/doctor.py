"""`cvsearch doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.model import Check
from cvsearch.output.formats import json_line
from cvsearch.output.screen import printable

EXAMPLES = ("cvsearch doctor", "cvsearch doctor --offline")


def run(
    session: Session,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check.")] = False,
) -> int:
    """Check settings, service, index and extras; every failing line has its fix.

    With Azure it makes one text call. Ends with 0 when all is well, else with the code of the first
    failing line.
    """
    code = ExitCode.DONE
    for check in _checks(session):
        code = code or check.code
        text = f"{'FAIL' if check.code else 'ok  '}  {check.name}: {printable(check.detail)}\n"
        if check.hint:
            text += f"      fix: {printable(check.hint)}\n"
        fields = {"check": check.name, "ok": not check.code, "detail": check.detail, "hint": check.hint}
        session.write([json_line(fields) if as_json else text.encode()])
    return code


def _checks(session: Session) -> Iterator[Check]:
    try:
        index = session.open_index()
    except CvsearchError as error:  # settings that cannot be read
        yield Check("settings", error.message, error.hint, error.code)
        return
    with index:
        yield from index.check()
