"""Finds out whether a server is of generation v1 or v2. No I/O."""

from collections.abc import Mapping
from typing import TypeVar

from freechat_sdk._decoders import is_html
from freechat_sdk._operation import Operation
from freechat_sdk.exceptions import ApiVersionError, is_login_redirect

T = TypeVar("T")


class Generation:
    """What a client knows about its server's generation. Threads share it: all of them find the same generation."""

    def __init__(self) -> None:
        self._found: str | None = None

    def known(self, api_version: str) -> str | None:
        """Return the generation, "v1" or "v2", as configured or as detected, or None while it is not known."""
        return self._found if api_version == "auto" else api_version

    def to_try(self, operation: Operation[T], api_version: str) -> tuple[str, ...]:
        """Return the generations to send an operation to, in order; only one if the server's generation is known.

        Raises:
            ApiVersionError: if the server's generation does not have the operation.
        """
        known = self.known(api_version)
        if known is None:
            return operation.generations
        if known not in operation.generations:
            raise ApiVersionError(
                f"{operation.method} {operation.template} exists only in {', '.join(operation.generations)}, "
                f"but the server is {known}. If this is wrong, check Configuration(api_version=...)."
            )
        return (known,)

    def unproven(self, operation: Operation[T], api_version: str) -> tuple[str, ...]:
        """Return the generations that an operation was sent to, or none if the server's generation is proven."""
        if self._found is not None:
            return ()
        return operation.generations if api_version == "auto" else (api_version,)

    def note(self, generation: str, status: int, headers: Mapping[str, str]) -> None:
        """Note the generation of a request if the response proves it: it reports success and is not an HTML page."""
        if self._found is None and status < 300 and not is_html(headers):
            self._found = generation


def may_be_other_generation(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether a response may come from a server of the other generation, which then did nothing."""
    return status == 404 or is_login_redirect(status, headers)
