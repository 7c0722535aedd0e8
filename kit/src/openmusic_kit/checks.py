"""What a caller demands of a thing before a service changes it."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

Check = Callable[[T], None]
"""Takes the thing as it is under the lock of the change. Raises PreconditionFailed if that is not what was expected."""
