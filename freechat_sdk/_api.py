"""The base of the API classes, and the decorators of their methods.

A generated method builds an `Operation`. The decorators make three methods from it: one returns the value, one also
returns status and headers, and one returns the unread response.

    @operation
    def delete_chat(self, chat_id: str, **options: Unpack[RequestOptions]) -> Operation[bool]: ...

    delete_chat_with_http_info = with_http_info(delete_chat)
    delete_chat_without_preload_content = without_preload_content(delete_chat)

Arguments are checked by pydantic's `validate_call`, whose validator is built on the first call of a method. Its errors
do not contain the arguments, because one of them may be a token.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import reduce, wraps
from itertools import chain
from operator import or_
from types import FunctionType, UnionType
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar, cast, get_args, get_origin

from pydantic import ConfigDict, SkipValidation, Strict, ValidationError, validate_call, with_config
from typing_extensions import TypedDict

from freechat_sdk._model import hide_input
from freechat_sdk._operation import Operation
from freechat_sdk._secrets import without_frames
from freechat_sdk._unknown_fields import warn_of_unknown_fields
from freechat_sdk.api_client import ApiClient
from freechat_sdk.api_response import ApiResponse
from freechat_sdk.rest import BaseHTTPResponse, Timeout

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

_BUILD: Final = "_build"
_STRICT: Final = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True, strict=True)


@with_config(ConfigDict(arbitrary_types_allowed=True, extra="forbid"))
class RequestOptions(TypedDict, total=False):
    """The keyword arguments that every API method accepts besides its own parameters. They apply to this call only.

    The SDK itself checks `_request_timeout`, `_request_auth` and `_headers`: the errors of pydantic would contain their
    values.
    """

    _request_timeout: SkipValidation[float | tuple[float, float] | Timeout | None]
    """The time limit of the whole call in seconds; for a stream, of its first event and of each silence. It may also be
    a pair (connect, read), a urllib3 Timeout, or None for no limit. Default: the limits of the Configuration."""
    _request_auth: SkipValidation[Mapping[str, Any] | None]
    """Replaces the configured token: a dict with `in` ("header" or "cookie"), `key` and `value`."""
    _content_type: str
    """Replaces the Content-Type of the body."""
    _headers: SkipValidation[Mapping[str, str] | None]
    """Headers to add. They replace headers of the same name."""
    _host_index: int
    """Accepted for compatibility, without effect: there is only one host."""


class Api:
    """Base of the API classes. Each has the operations of one tag, and calls them with an `ApiClient`."""

    def __init__(self, api_client: ApiClient | None = None) -> None:
        """Use `api_client` for all calls, or the default client if it is None."""
        self.api_client = ApiClient.get_default() if api_client is None else api_client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.api_client!r})"


S = TypeVar("S", bound=Api)


def operation(build: Callable[Concatenate[S, P], Operation[T]]) -> Callable[Concatenate[S, P], T]:
    """Make a method from a function that builds an operation. The method runs the operation and returns its value."""
    checked = _checked(build)
    call = wraps(build)(_caller(checked, lambda client, operation: client.run(operation)))
    call.__dict__[_BUILD] = checked
    (returned,) = get_args(inspect.signature(build).return_annotation)
    return _signed(call, inspect.signature(build), returned)


def with_http_info(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], ApiResponse[T]]:
    """Derive the method that returns the value with status and headers."""
    call = wraps(method)(_caller(_build_of(method), lambda client, operation: client.run_with_http_info(operation)))
    signature = inspect.signature(method)
    return _signed(call, signature, ApiResponse[signature.return_annotation], "_with_http_info")  # type: ignore[name-defined]


def without_preload_content(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], BaseHTTPResponse]:
    """Derive the method that returns urllib3's response, unread and whatever its status."""
    run = _caller(_build_of(method), lambda client, operation: client.run_without_preload_content(operation))
    call = wraps(method)(run)
    return _signed(call, inspect.signature(method), BaseHTTPResponse, "_without_preload_content")


def _caller(
    build: Callable[Concatenate[S, P], Operation[T]], run: Callable[[ApiClient, Operation[T]], R]
) -> Callable[Concatenate[S, P], R]:
    """Return the function that a caller calls. An error leaves it without its arguments and without inner frames."""

    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return run(self.api_client, build(self, *args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - raised again
            args, kwargs = (), {}  # type: ignore[assignment]
            raise without_frames(error)  # noqa: B904 - it is the same error

    return call


def _checked(build: Callable[Concatenate[S, P], Operation[T]]) -> Callable[Concatenate[S, P], Operation[T]]:
    """Return a function that checks the arguments of `build` and calls it. Its validator is made on the first call."""
    validated: Callable[Concatenate[S, P], Operation[T]] | None = None
    types = build.__annotations__  # in the order of the parameters
    code = cast(FunctionType, build).__code__

    def check(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        nonlocal validated
        if validated is None:  # two threads may both build one, which is harmless
            validated = validate_call(config=_STRICT)(_with_lax_lists(build))
        for name, value in chain(zip(types, args, strict=False), kwargs.items()):
            if isinstance(value, (dict, list, tuple)) and name in types:
                warn_of_unknown_fields(types[name], value)
        try:
            return validated(self, *args, **kwargs)
        except ValidationError as error:
            raise hide_input(error, code.co_varnames[: code.co_argcount]) from None

    return check


def _with_lax_lists(build: F) -> F:
    """Return a copy of `build` that accepts any iterable for a list, except text and mappings. Items stay strict."""
    copied: Any = FunctionType(build.__code__, build.__globals__, build.__name__, build.__defaults__, build.__closure__)
    copied.__kwdefaults__ = build.__kwdefaults__
    copied.__annotations__ = {name: _lax(type_) for name, type_ in build.__annotations__.items()}
    return cast(F, copied)


def _lax(type_: Any) -> Any:
    if get_origin(type_) is list:
        return Annotated[type_, Strict(False)]
    if get_origin(type_) is UnionType:
        return reduce(or_, map(_lax, get_args(type_)))
    return type_


def _build_of(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], Operation[T]]:
    """Return the function that builds the operation of a method."""
    build: Callable[Concatenate[S, P], Operation[T]] = method.__dict__[_BUILD]
    return build


def _signed(call: F, signature: inspect.Signature, returned: object, suffix: str = "") -> F:
    """Set the signature and the name that `help()` shows for a method."""
    call.__dict__["__signature__"] = signature.replace(return_annotation=returned)
    call.__name__ += suffix
    call.__qualname__ += suffix
    return call
