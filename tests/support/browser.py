"""A headless Chromium, spoken to through a pipe: real keys, screenshots, and all that it complains of."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_SECONDS = 60.0
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
)

needs_browser = pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium here")
"""For tests that open a page in a real browser."""


@dataclass
class Browser:
    """One tab.  `asked` are the addresses it asked for, `complaints` what its console and log say."""

    process: subprocess.Popen[bytes]
    sends: int
    hears: int
    tab: str = ""
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _number: int = 0
    _heard: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.tab:
            message["sessionId"] = self.tab
        os.write(self.sends, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            answer = self._hear()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
        raise AssertionError(f"{method}: no answer")

    def open(self, page: Path | str) -> None:
        """Opens a file and waits until it is there."""
        self.call("Page.navigate", url=Path(page).as_uri())
        while self.run("document.readyState") != "complete" or self.run("location.href") == "about:blank":
            time.sleep(0.02)

    def run(self, script: str) -> Any:
        """The value of an expression in the page; allowed whatever the page's policy says."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """A real key, as a person presses it."""
        typed = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        event = {"key": key, "windowsVirtualKeyCode": codes.get(key, 0), "code": key}
        self.call("Input.dispatchKeyEvent", type="keyDown" if typed else "rawKeyDown", **event, **typed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """The window's size in CSS pixels, and whether the system is dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[theme])

    def screenshot(self) -> bytes:
        """A PNG file of the window."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            part = os.read(self.hears, 1 << 20)
            assert part, "the browser is gone"
            self._heard += part
        message, _, self._heard = self._heard.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        match heard.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(heard["params"]["request"]["url"])
            case "Log.entryAdded" | "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(heard["params"]))
        return heard


@contextmanager
def open_browser(profile: Path) -> Iterator[Browser]:
    """Starts it with a profile of its own; it is ended in any case."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    # Chromium listens on file 3 and answers on file 4.
    command = [
        *("bash", "-c", f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"', "browser", "chromium", *_FLAGS),
        *("--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"),
    ]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(theirs_in, theirs_out),
    ) as process:
        os.close(theirs_in)
        os.close(theirs_out)
        browser = Browser(process, ours_out, ours_in)
        try:
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            browser.tab = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Log", "Runtime"):
                browser.call(f"{domain}.enable")
            yield browser
            browser.tab = ""
            browser.call("Browser.close")
            process.wait(_SECONDS)
        finally:
            process.kill()
            os.close(ours_out)
            os.close(ours_in)
