"""The base class of all models, and the types of their fields.

`Text`, `Integer`, `Number` and `Flag` accept only their own JSON type: neither `true` nor `"1"` is an `Integer`.
`Timestamp` accepts every date format that servers send. `RequiredInput` marks a field that a caller must set and a
response may omit. `Secret` marks a field that is masked when a model is printed.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, datetime, timedelta, timezone
from functools import reduce
from inspect import Parameter, Signature
from operator import methodcaller, or_
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, overload

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    NaiveDatetime,
    PlainSerializer,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, PydanticKnownError, core_schema
from typing_extensions import LiteralString, Self

from freechat_sdk._secrets import MASK, Credential, sealed
from freechat_sdk._unknown_fields import nearest_field, warn_of_unknown_fields

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


def _state_required(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """State the required fields in a JSON schema: as a type, they may be missing, because responses may lack them."""
    fields = model.model_fields.items()
    required = [to_camel(name) for name, field in fields if any(isinstance(m, _RequiredInput) for m in field.metadata)]
    if required:
        schema["required"] = required


class _PythonSignature:
    """The signature of a model: Python names, and types without their checks. Made when a tool asks for it."""

    def __get__(self, instance: object, model: type[BaseModel]) -> Signature:
        if instance is not None:
            raise AttributeError("__signature__")  # tools take an instance with one for a function
        fields = [_parameter(name, field) for name, field in model.__pydantic_fields__.items()]
        return Signature([*fields, Parameter("additional_properties", Parameter.VAR_KEYWORD, annotation=Any)])


def _parameter(name: str, field: FieldInfo) -> Parameter:
    is_required = field.is_required() or any(isinstance(mark, _RequiredInput) for mark in field.metadata)
    default = Parameter.empty if is_required else field.get_default()
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=_without_checks(field.annotation))


def _without_checks(type_: Any) -> Any:
    """Return the type that a checker sees: `int` for `Integer`, `datetime` for `Timestamp`."""
    if type_ == Timestamp:
        return datetime
    origin, arguments = get_origin(type_), tuple(map(_without_checks, get_args(type_)))
    if origin is Annotated:
        return arguments[0]
    if origin in (Union, UnionType):
        return reduce(or_, arguments)
    return type_ if origin is None else origin[arguments]


_SIGNATURE: Any = _PythonSignature()


class Model(BaseModel):
    """Base of all models: a JSON object of the FreeChat API.

    Fields are read and set by their Python names. The constructor accepts Python names and JSON names (camelCase).
    Fields that the SDK does not know are kept in `additional_properties` and sent back with the others; the constructor
    warns of them (`UnknownFieldWarning`). A field that is `None` is not sent, nor shown by `repr`. In responses, a null
    field and an absent one mean the same.

    Raises:
        pydantic.ValidationError: (a ValueError) if a required field is missing, or a value has the wrong type.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        defer_build=True,
        extra="allow",
        hide_input_in_errors=True,
        populate_by_name=True,
        protected_namespaces=(),
        ser_json_inf_nan="constants",  # refused before sending; null would be sent as if nothing had been given
        val_temporal_unit="milliseconds",
        validate_assignment=True,
        json_schema_extra=_state_required,
    )
    __signature__: ClassVar[Signature] = _SIGNATURE

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Replace pydantic's signature, which shows JSON names."""
        cls.__signature__ = _SIGNATURE

    @sealed
    def __init__(self, /, **values: Any) -> None:
        extra = values.pop("additional_properties", None)
        warn_of_unknown_fields(type(self), values)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise hide_input(error) from None
        if extra is not None:
            self.additional_properties = {**self.additional_properties, **_checked_mapping(type(self), extra)}

    # With this mark pydantic does not call `__init__` when it validates a response.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @sealed
    def __setattr__(self, name: str, value: Any) -> None:
        """Set a field, validated and converted as in the constructor.

        Raises:
            pydantic.ValidationError: if there is no such field, or the value is invalid.
        """
        model = type(self)
        is_known = name in model.__pydantic_fields__ or name in self.additional_properties or name.startswith("_")
        if not is_known and not isinstance(getattr(model, name, None), property):
            message = f"{model.__name__!r} object has no field {name!r}. {_suggestion(model, name)}"
            raise _refusal(model, name, "no_such_attribute", message)
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            raise hide_input(error) from None

    @property
    def additional_properties(self) -> dict[str, Any]:
        """The fields that the SDK does not know, by JSON name. Changes to the dict are sent."""
        extra = self.__pydantic_extra__
        return {} if extra is None else extra

    @additional_properties.setter
    def additional_properties(self, value: Mapping[str, Any]) -> None:
        self.__pydantic_extra__ = dict(_checked_mapping(type(self), value))

    def to_dict(self) -> dict[str, Any]:
        """Return the model as a dict with JSON names as keys and without `None` values. Dates are datetimes."""
        return self.model_dump(by_alias=True, exclude_none=True)

    def to_json(self) -> str:
        """Return the model as the JSON text that is sent to a server: without nulls, and with dates in UTC (`Z`)."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    def to_str(self) -> str:
        """Return `to_dict()` formatted for reading, with secrets masked."""
        from pprint import pformat

        return pformat(_masked(self))

    @overload
    @classmethod
    def from_dict(cls, obj: Mapping[str, Any]) -> Self: ...
    @overload
    @classmethod
    def from_dict(cls, obj: None) -> None: ...
    @classmethod
    @sealed
    def from_dict(cls, obj: Mapping[str, Any] | None) -> Self | None:
        """Build a model from a dict with JSON names or Python names. `None` gives `None`."""
        if obj is None:
            return None
        try:
            return cls.model_validate(obj)
        except ValidationError as error:
            raise hide_input(error) from None

    @classmethod
    @sealed
    def from_json(cls, json_str: str | bytes) -> Self:
        """Build a model from the JSON text of a response. Required fields may be missing.

        Raises:
            json.JSONDecodeError: (a ValueError) if the text is not JSON; the error does not hold it.
        """
        try:
            return cls.model_validate_json(json_str)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            if first["type"] != "json_invalid":
                raise hide_input(error) from None
            from json import JSONDecodeError

            raise JSONDecodeError(first["msg"], "", 0) from None

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        secrets = _secret_names(type(self))
        for name, value in super().__repr_args__():
            if value is not None:
                yield name, _MASKED if name in secrets else value


def hide_input(error: E, arguments: Sequence[str] = ()) -> E | ValidationError:
    """Return a pydantic error without the input, which may be a credential. Return any other error unchanged.

    The error of a call names `arguments` instead of counting them.
    """
    if not isinstance(error, ValidationError):
        return error
    names: dict[int | str, str] = dict(enumerate(arguments))
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(line["type"], line["msg"]),
            loc=(*(names.get(step, step) for step in line["loc"][:1]), *line["loc"][1:]),
            input=None,
        )
        for line in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return ValidationError.from_exception_data(error.title, lines, hide_input=True)


def _refusal(model: type[BaseModel], name: str, kind: LiteralString, message: str) -> ValidationError:
    """Return pydantic's error for one name."""
    line = InitErrorDetails(type=PydanticCustomError(kind, "{message}", {"message": message}), loc=(name,), input=None)
    return ValidationError.from_exception_data(model.__name__, [line], hide_input=True)


def _checked_mapping(model: type[BaseModel], value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _refusal(model, "additional_properties", "dict_type", "Input should be a valid dictionary")
    return value


def _suggestion(model: type[BaseModel], name: str) -> str:
    """Return the advice for an unknown field: the nearest name, if there is one."""
    nearest = nearest_field(model, name)
    if nearest is None:
        return "Set additional_properties for a field that the SDK does not know."
    return f"The nearest name is {nearest!r}."


_MASKED = Credential(MASK)
"""Printed instead of a secret."""


class _SecretMarker:
    """Marks a field that is masked when a model is printed."""


def _secret_names(model: type[BaseModel]) -> set[str]:
    fields = model.model_fields.items()
    return {name for name, field in fields if any(isinstance(mark, _SecretMarker) for mark in field.metadata)}


def _masked(value: object) -> object:
    """Return the data of a model for reading: with JSON names, without `None` values, and with secrets masked."""
    if isinstance(value, Model):
        secrets = _secret_names(type(value))
        given = {name: held for name, held in value if held is not None}
        return {to_camel(name): _MASKED if name in secrets else _masked(held) for name, held in given.items()}
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return value


class _RequiredInput:
    """Schema of a required field: a caller (Python input) must set it, a response (JSON input) may omit it."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(source)
        return core_schema.json_or_python_schema(
            json_schema=core_schema.nullable_schema(inner),
            python_schema=core_schema.no_info_before_validator_function(_refuse_none, inner),
        )


def _refuse_none(value: object) -> object:
    if value is None:
        raise PydanticKnownError("missing")
    return value


class _OneError:
    """Schema of a union that has one error for a wrong date, instead of one for each of its members."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: Any = handler(source)
        message = "Input should be a date such as 2026-08-20T05:03:02Z; its zone must be UTC, GMT or an offset"
        return {**schema, "custom_error_type": "date_invalid", "custom_error_message": message}


class _NoDefault(datetime):
    """A default for dateutil, which would fill in what a text leaves out: "Monday" would be a date of this week."""

    def replace(self, **given: Any) -> datetime:  # type: ignore[override]
        if not {"year", "month", "day"} <= given.keys():
            raise ValueError("incomplete date")
        return datetime(**given)


MAX_DATE_CHARACTERS = 100
_NO_DEFAULT = _NoDefault(1, 1, 1)


def _zone(name: str | None, offset: int | None) -> timezone | None:
    """Return the zone that dateutil found in a text.

    Raises:
        ValueError: if it knows only a name: "CST" is one of three zones.
    """
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is not None:
        raise ValueError("unknown time zone")
    return None


def _by_dateutil(text: str) -> datetime:
    """Parse a date that pydantic does not parse, in RFC 1123 and similar formats."""
    from dateutil import parser

    if len(text) > MAX_DATE_CHARACTERS:  # dateutil takes time that grows with the square of the length
        raise ValueError("a date has fewer characters")
    try:
        return parser.parse(text, default=_NO_DEFAULT, tzinfos=_zone)
    except (ValueError, OverflowError):  # their messages hold the text
        message = "a date needs a day, a month and a year; a zone must be UTC, GMT or an offset"
        raise ValueError(message) from None


def _aware(value: datetime) -> datetime:
    """Return a date with its zone; without one, it is UTC.

    Raises:
        ValueError: if it does not exist in UTC, in which dates are sent: year 1 begins in UTC later than at +14:00.
    """
    aware = value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
    if not MINYEAR < aware.year < MAXYEAR:
        try:
            aware.astimezone(timezone.utc)
        except OverflowError:
            raise ValueError("the date does not exist in UTC") from None
    return aware


def _write_z(value: datetime) -> str:
    return _aware(value).astimezone(timezone.utc).replace(tzinfo=None).isoformat() + "Z"


Text = StrictStr
Integer = StrictInt
Number = StrictFloat
Flag = StrictBool

_EARLIEST = datetime(MINYEAR, 1, 2, tzinfo=timezone.utc)
_LATEST = datetime(MAXYEAR, 12, 31, tzinfo=timezone.utc)
"""The dates between these exist in UTC, whatever their zone; the others are looked at one by one."""

if TYPE_CHECKING:
    Timestamp = datetime
else:
    Timestamp = Annotated[
        Annotated[AwareDatetime, Field(gt=_EARLIEST, lt=_LATEST)]
        | Annotated[NaiveDatetime, AfterValidator(methodcaller("replace", tzinfo=timezone.utc))]
        | Annotated[datetime | Annotated[str, AfterValidator(_by_dateutil)], AfterValidator(_aware)],
        # From left to right: a smart union would call dateutil for every value. None of the usual forms reaches a
        # function of Python, whose frames cost more than the rest, and start the garbage collector (3.12 and later).
        Field(union_mode="left_to_right"),
        _OneError(),
        PlainSerializer(_write_z, return_type=str, when_used="json-unless-none"),
    ]
"""An instant, always with a time zone. Accepts ISO 8601, epoch milliseconds and RFC 1123; without a zone, it is UTC."""
RequiredInput = Annotated[T, Field(default=None, validate_default=True), _RequiredInput()]
"""A field that a caller must set. A response may omit it: then it is `None`."""
if TYPE_CHECKING:
    AlwaysSent = Annotated[T, "sent by each release that was recorded"]
else:
    AlwaysSent = Annotated[T | None, "checkers see it without None"]
"""A field that servers always send, so reading it needs no check for `None`. A caller may leave it out: `ABSENT`."""
ABSENT: Any = None
Secret = Annotated[T, _SecretMarker()]
"""A field that holds a credential: masked when the model is printed, but not in `to_dict()` and `to_json()`."""
