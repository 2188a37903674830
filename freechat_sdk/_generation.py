"""The generation of a server: which prefixes to try, what a response settles, what is known. No I/O."""

from collections.abc import Mapping
from typing import TypeVar

from freechat_sdk._decoders import is_html
from freechat_sdk._operation import Operation
from freechat_sdk.exceptions import ApiVersionError, is_login_redirect

T = TypeVar("T")


class Generation:
    """What a client knows of its server's generation. Threads may share it: they can only find the same."""

    def __init__(self) -> None:
        self._found: str | None = None

    def known(self, api_version: str) -> str | None:
        """Return the generation, "v1" or "v2", as configured or as found out; None while it is open."""
        return self._found if api_version == "auto" else api_version

    def to_try(self, operation: Operation[T], api_version: str) -> tuple[str, ...]:
        """Return the generations to send an operation to, in order; a single one unless the generation is open.

        Raises:
            ApiVersionError: if the server's generation does not have the operation.
        """
        known = self.known(api_version)
        if known is None:
            return operation.generations
        if known not in operation.generations:
            raise ApiVersionError(
                f"{operation.method} {operation.template} exists only in {', '.join(operation.generations)}, "
                f"and this client talks to a {known} server"
            )
        return (known,)

    def note(self, generation: str, status: int, headers: Mapping[str, str]) -> None:
        """Take a response into account: only a success that is not a web page settles the generation."""
        if self._found is None and status < 300 and not is_html(headers):
            self._found = generation


def may_be_other_generation(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether a response may come from a server of the other generation, which then did nothing."""
    return status == 404 or is_login_redirect(status, headers)
