"""Where the Azure service is, in whatever form its address was pasted."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlencode, urlsplit

from cvsearch.errors import CredentialsError, CvsearchError

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(?P<prefix>.*?)(/computervision)?(/retrieval:vectorize(image|text))?/*", re.IGNORECASE)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_AZURE = (".azure.com", ".azure.us", ".azure.cn", ".microsoft.com", ".microsoft.us")
_REGIONAL = re.compile(r".*\.api\.cognitive\.(microsoft\.com|azure\.cn|microsoft\.us)")
_EXAMPLE = "https://NAME.cognitiveservices.azure.com"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the service is: `base` without a trailing slash, `host` as shown to people, with its port.

    `regional` hosts serve a whole region and know no Entra; `loopback` is this machine.
    """

    base: str
    host: str
    loopback: bool
    regional: bool

    def url(self, operation: str, api_version: str, model: str) -> str:
        """The address of ``vectorizeImage`` or ``vectorizeText``."""
        query = urlencode({"api-version": api_version, "model-version": model})
        return f"{self.base}/computervision/retrieval:{operation}?{query}"


def read_endpoint(text: str) -> Endpoint:
    """The endpoint in any form people paste: quoted, without a scheme, with a slash or an operation's path.

    Raises `CredentialsError` when there is none, `CvsearchError` when it cannot be one.  What was
    pasted is not repeated in messages where it may hold a secret.
    """
    pasted = text.strip().strip("'\"<>“”‘’`").strip()
    if not pasted:
        raise CredentialsError("the Azure endpoint is empty", f"set CVSEARCH_ENDPOINT, such as {_EXAMPLE}")
    parts, port = _split(pasted if "://" in pasted else f"https://{pasted}")
    name = (parts.hostname or "").rstrip(".")
    shown = f"[{name}]" if ":" in name else name
    if not _HOST.fullmatch(shown):
        raise CvsearchError("the Azure endpoint has no valid host name", f"it looks like {_EXAMPLE}")
    loopback = _is_loopback(name)
    if parts.scheme == "http" and not loopback:
        raise CvsearchError(
            f"the Azure endpoint at {shown} would be reached without encryption",
            "write https:// in CVSEARCH_ENDPOINT",
        )
    host = shown if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{shown}:{port}"
    return Endpoint(
        base=f"{parts.scheme}://{host}{_read_prefix(parts.path, host)}",
        host=host,
        loopback=loopback,
        regional=bool(_REGIONAL.fullmatch(name)),
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CvsearchError("the Azure endpoint is not an address", f"it looks like {_EXAMPLE}") from None
    if parts.scheme not in ("http", "https"):
        raise CvsearchError("the Azure endpoint is not an https:// address", f"it looks like {_EXAMPLE}")
    if "@" in parts.netloc:
        raise CvsearchError(
            "the Azure endpoint holds a user name or password",
            "leave out everything before the host; the key goes into CVSEARCH_KEY",
        )
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise CvsearchError(
            "the Azure endpoint holds a query",
            "leave out everything from the '?' or '#' on; cvsearch adds what is needed",
        )
    return parts, port


def _read_prefix(path: str, host: str) -> str:
    match = _PATH.fullmatch(path)
    prefix = match["prefix"].rstrip("/") if match else "?"
    # A gateway of one's own may serve under a path; Azure's own hosts never do.
    if not _PREFIX.fullmatch(prefix) or (prefix and host.endswith(_AZURE)):
        raise CvsearchError(
            f"the Azure endpoint at {host} has a path cvsearch does not know", f"write https://{host}"
        )
    return prefix


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
