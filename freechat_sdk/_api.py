"""What generated methods stand on: a method builds an `Operation`, and is run in one of three ways.

    @operation
    def delete_chat(self, chat_id: str, **options: Unpack[RequestOptions]) -> Operation[bool]: ...

    delete_chat_with_http_info = with_http_info(delete_chat)
    delete_chat_without_preload_content = without_preload_content(delete_chat)

Arguments are checked by pydantic's own `validate_call`, which is built on a method's first call. Its errors do not
hold the arguments: one could be a token.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import reduce, wraps
from operator import or_
from types import FunctionType, UnionType
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar, cast, get_args, get_origin

from pydantic import ConfigDict, SkipValidation, Strict, ValidationError, validate_call, with_config
from typing_extensions import TypedDict

from freechat_sdk._model import hide_input
from freechat_sdk._operation import Operation
from freechat_sdk.api_client import ApiClient
from freechat_sdk.api_response import ApiResponse
from freechat_sdk.rest import BaseHTTPResponse, Timeout

T = TypeVar("T")
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

_BUILD: Final = "_build"
_STRICT: Final = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True, strict=True)


@with_config(ConfigDict(arbitrary_types_allowed=True, extra="forbid"))
class RequestOptions(TypedDict, total=False):
    """What every API method takes by keyword besides its own parameters, for this one call.

    `_request_timeout`, `_request_auth` and `_headers` are checked by the SDK rather than by pydantic, whose errors
    would hold their values.
    """

    _request_timeout: SkipValidation[float | tuple[float, float] | Timeout | None]
    """Seconds for the whole call (for a stream: up to its first event, and of each silence), a pair (connect, read), a
    urllib3 Timeout, or None for no limit. Not given: the limits of the Configuration."""
    _request_auth: SkipValidation[Mapping[str, Any] | None]
    """Stands in for the configured token: a dict with `in` ("header" or "cookie"), `key` and `value`."""
    _content_type: str
    """Stands in for the Content-Type of the body."""
    _headers: SkipValidation[Mapping[str, str] | None]
    """Headers to add; one that is sent anyway is replaced."""
    _host_index: int
    """Taken as the official client takes it, and changes nothing: there is one host."""


class Api:
    """Base of the API classes: operations of one tag, called over an `ApiClient`."""

    def __init__(self, api_client: ApiClient | None = None) -> None:
        """Make the operations callable over `api_client`, or over the default client."""
        self.api_client = ApiClient.get_default() if api_client is None else api_client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.api_client!r})"


S = TypeVar("S", bound=Api)


def operation(build: Callable[Concatenate[S, P], Operation[T]]) -> Callable[Concatenate[S, P], T]:
    """Make a method of a function that builds an operation: check the arguments, make the call, return the value."""
    checked = _checked(build)

    @wraps(build)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.api_client.run(checked(self, *args, **kwargs))

    call.__dict__[_BUILD] = checked
    (returned,) = get_args(inspect.signature(build).return_annotation)
    return _signed(call, inspect.signature(build), returned)


def with_http_info(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], ApiResponse[T]]:
    """Derive the method that returns the value together with status and headers."""
    build = _build_of(method)

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> ApiResponse[T]:
        return self.api_client.run_with_http_info(build(self, *args, **kwargs))

    signature = inspect.signature(method)
    return _signed(call, signature, ApiResponse[signature.return_annotation], "_with_http_info")  # type: ignore[name-defined]


def without_preload_content(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], BaseHTTPResponse]:
    """Derive the method that returns urllib3's response, unread and whatever its status."""
    build = _build_of(method)

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> BaseHTTPResponse:
        return self.api_client.run_without_preload_content(build(self, *args, **kwargs))

    return _signed(call, inspect.signature(method), BaseHTTPResponse, "_without_preload_content")


def _checked(build: Callable[Concatenate[S, P], Operation[T]]) -> Callable[Concatenate[S, P], Operation[T]]:
    """Return `build` with its arguments checked, by a validator made on the first call."""
    validated: Callable[Concatenate[S, P], Operation[T]] | None = None

    def check(self: S, /, *args: P.args, **kwargs: P.kwargs) -> Operation[T]:
        nonlocal validated
        if validated is None:  # a race makes two, which does no harm
            validated = validate_call(config=_STRICT)(_with_lax_lists(build))
        try:
            return validated(self, *args, **kwargs)
        except ValidationError as error:
            raise hide_input(error) from None

    return check


def _with_lax_lists(build: F) -> F:
    """Return a copy of `build` that takes any iterable but text and mappings for a list; its items stay strict."""
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
    """Return what builds the operation of a method."""
    build: Callable[Concatenate[S, P], Operation[T]] = method.__dict__[_BUILD]
    return build


def _signed(call: F, signature: inspect.Signature, returned: object, suffix: str = "") -> F:
    """Give a method the signature and the name that `help()` shows."""
    call.__dict__["__signature__"] = signature.replace(return_annotation=returned)
    call.__name__ += suffix
    call.__qualname__ += suffix
    return call
