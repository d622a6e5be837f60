"""What a reply of a service means for the request that was answered, for its photo, and for the run."""

from __future__ import annotations

from dataclasses import dataclass

from cvsearch.errors import CvsearchError, ServiceError
from cvsearch.model import Skip, Vector


@dataclass(frozen=True, slots=True)
class Answer:
    """The vector that was asked for: float32, checked, as received."""

    vector: Vector
    request_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The service will not take this photo or text; the next one may be fine."""

    skip: Skip


@dataclass(frozen=True, slots=True)
class Fatal:
    """No request of this run can succeed.  `renewable`: a new key may help."""

    error: CvsearchError
    renewable: bool = False


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many requests: wait `seconds`, or as long as seems right when the service does not say."""

    seconds: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure that may pass: the same request is worth sending again."""

    detail: str


Reply = Answer | Rejected | Fatal | Throttled | Fault


class AttemptsSpent(ServiceError):
    """The service failed on one request as often as is reasonable, while it may serve others."""
