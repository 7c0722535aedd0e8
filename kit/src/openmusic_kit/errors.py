"""What can go wrong, without a word of transport.

ServiceError
├── Invalid             the request makes no sense
├── Unauthenticated     nobody knows who is asking
├── Forbidden           it is known who asks, and they may not
├── NotFound            there is no such thing
├── Conflict            it makes sense, but not in the present state
├── PreconditionFailed  the client makes it depend on a state that is not the present one
├── TooLarge            more than is accepted
└── Unavailable         something we depend on does not answer; asking again later may help
"""

import re
from collections.abc import Mapping
from typing import ClassVar


class ServiceError(Exception):
    """Base of all errors that a client sees: ``message`` is for a person, ``code`` for a program.

    The code is the name of the class in snake case, unless the class has another. Clients rely on it.
    """

    message = "The request could not be served"
    code: ClassVar[str] = "service_error"
    data: Mapping[str, object] | None = None
    """What else a program may need."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" not in vars(cls):
            cls.code = re.sub(r"(?<=.)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(self, message: str | None = None) -> None:
        self.message = message or type(self).message
        super().__init__(self.message)


class Invalid(ServiceError):
    message = "The request is not valid"


class Unauthenticated(ServiceError):
    message = "A valid access token is required"


class Forbidden(ServiceError):
    message = "You are not allowed to do this"


class NotFound(ServiceError):
    message = "Not found"


class Conflict(ServiceError):
    message = "This is not possible in the present state"


class PreconditionFailed(ServiceError):
    message = "What is there now does not meet If-Match or If-None-Match; read it again"


class TooLarge(ServiceError):
    message = "The request body is too large"


class Unavailable(ServiceError):
    """``retry_after`` is in whole seconds."""

    message = "A part that this needs is not available at the moment"

    def __init__(self, message: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after
