"""Configuration: the server, the token, time limits, retries, TLS, proxies and logging."""

from __future__ import annotations

import os

from freechat_sdk._addresses import check_proxy, checked_host, is_encrypted_or_loopback, without_generation
from freechat_sdk._headers import checked_headers, checked_token
from freechat_sdk._secrets import MASK, Credential, sealed
from freechat_sdk.exceptions import ApiTypeError, ApiValueError, InsecureTransportWarning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from logging import FileHandler, Formatter, Logger, StreamHandler
    from typing import Any, ClassVar

    from typing_extensions import Self

    from freechat_sdk.hooks import Hooks

DEFAULT_HOST = "http://127.0.0.1:8080"
MAX_SECONDS = 2_000_000.0
"""The longest time limit, 23 days; a longer one is taken for it, because sockets count milliseconds in 32 bits."""
GENERATIONS = ("auto", "v1", "v2")
MEBIBYTE = 1024 * 1024
_SHARED = frozenset(
    {"_access_token", "_hooks", "proxy_ssl_context", "retries", "refresh_api_key_hook", "socket_options"}
)
"""The attributes whose values copies share, because these values may not support copying."""
_COUNTS = frozenset({"connection_pool_maxsize", "max_event_bytes", "max_response_bytes"})
_TLS_SETTINGS = frozenset(
    {
        "assert_hostname",
        "ca_cert_data",
        "cert_file",
        "key_file",
        "proxy_ssl_context",
        "socket_options",
        "ssl_ca_cert",
        "tls_server_name",
    }
)
_LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class Configuration:
    """The settings of a client. They may be changed until the first call, the token at any time.

    The environment variables FREECHAT_HOST, FREECHAT_TOKEN and FREECHAT_API_VERSION set `host`, `access_token` and
    `api_version` if these are not given. If the host is given in code and the token comes from the environment, the
    token is sent only over https or to loopback.

    A configuration can be pickled and copied, with its token and without its log handlers. Its repr masks the token.

    Args:
        host: the address of the server, with a path if a reverse proxy adds one. Default `http://127.0.0.1:8080`.
            `/api/v1` or `/api/v2` at its end is taken off, and sets `api_version`.
        api_key, api_key_prefix, username, password: accepted for compatibility. FreeChat accepts only bearer tokens.
        access_token: the bearer token (`fc-` and 32 hex digits), or a function that returns a token or None. The
            function is called for each call, and once more if a call that only reads fails with status 401.
        server_index, server_variables: select an entry of `get_host_settings()` if no host is given.
        server_operation_index, server_operation_variables, ignore_operation_servers: accepted for compatibility,
            without effect.
        ssl_ca_cert: the path of a PEM file with the certificate authorities to trust instead of the system's.
        ca_cert_data: the same as PEM text or DER bytes.
        retries: the maximum number of retries of a request: a number, False for 0, a `RetryPolicy`, or a urllib3
            `Retry`, of which only the number of retries and the waits are used. Default 2. With 0, a busy chat is not
            waited for either.
        cert_file, key_file: the paths of the client's own certificate and of its key.
        verify_ssl: whether to check the server's certificate. Default True.
        assert_hostname: the name that the certificate must hold instead of the host's name; False accepts any name.
        tls_server_name: the name to send in the TLS handshake (SNI) instead of the host's name.
        connection_pool_maxsize: the number of idle connections to keep. Default 5 per processor.
        connection_pool_block: whether `connection_pool_maxsize` also limits the connections in use. If it does, a call
            waits, within its time limit, until a connection is free. Otherwise it opens one more, which is closed
            after use. Default False.
        proxy: the address of a proxy to use instead of the environment's, such as `http://proxy.example.com:3128`. The
            schemes `socks5h`, `socks5`, `socks4a` and `socks4` need PySocks.
        proxy_headers: headers to send to the proxy.
        safe_chars_for_path_param, datetime_format, date_format: accepted for compatibility, without effect.
        client_side_validation: accepted for compatibility, without effect: arguments are always checked.
        socket_options: the options of new sockets, each a tuple of arguments of `socket.setsockopt`.
        debug: True shows the debug messages of the logger `freechat_sdk`, on stderr if no log handler is set up; False
            hides them. Default None: the logger stays as it is.
        api_version: the generation of the server, "v1" or "v2"; "auto" detects it with the first call. Default "auto".
        timeout: the time limit of a whole call, in seconds. Default 60.
        model_timeout: the time limit of a whole call that waits for a model, in seconds. Default 300.
        connect_timeout: the time limit of each connect, in seconds. Default 5.
        stream_first_event_timeout: the time limit up to the first event of a stream, in seconds. Default 300.
        stream_idle_timeout: the longest silence of a stream after its first event, in seconds. Default 120.
        stream_timeout: the time limit of a whole stream, in seconds. Default None.
        max_response_bytes: the largest response to read into memory, in bytes after decompression. Default 256 MiB.
        max_event_bytes: the largest event of a stream, in bytes. Default 16 MiB.
        split_thinking: whether `answer`, `text` and `text_deltas()` leave out what a model writes between `<think>` and
            `</think>`; it is in `thinking` then. Default True.
        user_agent_suffix: text to add to the `User-Agent` header, such as `my-service/1.4`.
        hooks: a `Hooks` or a list of them, which observe every call.
        log_bodies: whether debug messages show request and response bodies, with credentials masked. Default False.

    None as a time limit or a size means unlimited.

    Raises:
        ApiTypeError, ApiValueError: if a setting is invalid. The message does not show a credential.
    """

    _default: ClassVar[Configuration | None] = None

    @sealed
    def __init__(
        self,
        host: str | None = None,
        api_key: dict[str, str] | None = None,
        api_key_prefix: dict[str, str] | None = None,
        username: str | None = None,
        password: str | None = None,
        access_token: str | Callable[[], str | None] | None = None,
        server_index: int | None = None,
        server_variables: dict[str, str] | None = None,
        server_operation_index: dict[int, int] | None = None,
        server_operation_variables: dict[int, dict[str, str]] | None = None,
        ignore_operation_servers: bool = False,
        ssl_ca_cert: str | None = None,
        retries: Any = None,
        ca_cert_data: str | bytes | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        verify_ssl: bool = True,
        assert_hostname: str | bool | None = None,
        tls_server_name: str | None = None,
        connection_pool_maxsize: int | None = None,
        proxy: str | None = None,
        proxy_headers: Mapping[str, str] | None = None,
        safe_chars_for_path_param: str = "",
        client_side_validation: bool = True,
        socket_options: Sequence[tuple[int, int, int | bytes]] | None = None,
        datetime_format: str = "%Y-%m-%dT%H:%M:%S.%f%z",
        date_format: str = "%Y-%m-%d",
        *,
        debug: bool | None = None,
        api_version: str | None = None,
        timeout: float | None = 60.0,
        model_timeout: float | None = 300.0,
        connect_timeout: float | None = 5.0,
        stream_first_event_timeout: float | None = 300.0,
        stream_idle_timeout: float | None = 120.0,
        stream_timeout: float | None = None,
        max_response_bytes: int | None = 256 * MEBIBYTE,
        max_event_bytes: int | None = 16 * MEBIBYTE,
        split_thinking: bool = True,
        connection_pool_block: bool = False,
        no_proxy: str | None = None,
        proxy_ssl_context: Any = None,
        user_agent_suffix: str | None = None,
        hooks: Hooks | Sequence[Hooks] | None = None,
        log_bodies: bool = False,
    ) -> None:
        self.server_index = server_index or 0
        self.server_variables = server_variables or {}
        self.server_operation_index = server_operation_index or {}
        self.server_operation_variables = server_operation_variables or {}
        self.ignore_operation_servers = ignore_operation_servers
        self._host: str | None = None
        self._set_host(host, os.environ.get("FREECHAT_HOST"))
        self.api_key = api_key or {}
        self.api_key_prefix = api_key_prefix or {}
        self.refresh_api_key_hook: Callable[[Configuration], None] | None = None
        self.username = username
        self.password = password
        self._set_generation(api_version, os.environ.get("FREECHAT_API_VERSION"))
        self.retries = retries
        self.ssl_ca_cert = ssl_ca_cert
        self.ca_cert_data = ca_cert_data
        self.cert_file = cert_file
        self.key_file = key_file
        self.verify_ssl = verify_ssl
        self.assert_hostname = assert_hostname
        self.tls_server_name = tls_server_name
        self.connection_pool_maxsize = connection_pool_maxsize or 5 * (os.cpu_count() or 1)
        self.proxy = proxy
        self.no_proxy = no_proxy
        self.proxy_headers = proxy_headers
        self.proxy_ssl_context = proxy_ssl_context
        self.access_token = self._environment_token(bool(host)) if access_token is None else access_token
        self.socket_options = socket_options
        self.client_side_validation = client_side_validation
        self.safe_chars_for_path_param = safe_chars_for_path_param
        self.datetime_format = datetime_format
        self.date_format = date_format
        self.temp_folder_path: str | None = None
        self.timeout = timeout
        self.model_timeout = model_timeout
        self.connect_timeout = connect_timeout
        self.stream_first_event_timeout = stream_first_event_timeout
        self.stream_idle_timeout = stream_idle_timeout
        self.stream_timeout = stream_timeout
        self.max_response_bytes = max_response_bytes
        self.max_event_bytes = max_event_bytes
        self.split_thinking = split_thinking
        self.connection_pool_block = connection_pool_block
        self.user_agent_suffix = user_agent_suffix
        self.hooks = hooks
        self.log_bodies = log_bodies
        self._logger: dict[str, Logger] | None = None
        self._logger_format = _LOG_FORMAT
        self._logger_file: str | None = None
        self.logger_file_handler: FileHandler | None = None
        self.logger_stream_handler: StreamHandler[Any] | None = None
        self._debug = False
        if debug is not None:
            self.debug = debug

    @sealed
    def __setattr__(self, name: str, value: object) -> None:
        if name.endswith("timeout") and value is not None:
            value = check_seconds(name, value)
        elif name in _COUNTS and value is not None:
            _check_count(name, value)
        elif name == "proxy" and value:
            value = Credential(check_proxy(name, value))
        elif name == "proxy_headers" and value is not None:
            value = checked_headers(name, value)
        elif name in _TLS_SETTINGS and value is not None:
            _check_tls(name, value)
        elif name == "api_key" and isinstance(value, dict):
            value = {key: Credential(text) if isinstance(text, str) else text for key, text in value.items()}
        elif name == "password" and isinstance(value, str):
            value = Credential(value)
        elif name == "api_version":
            _check_generation(name, value)
        object.__setattr__(self, name, value)

    @property
    def host(self) -> str:
        """The address of the server, without a slash at its end."""
        if self._host is None:
            return self.get_host_from_settings(self.server_index, self.server_variables)
        return self._host

    @host.setter
    def host(self, value: str) -> None:
        self._take_host("host", value)

    def _take_host(self, name: str, value: str) -> None:
        """Set the host. `/api/v1` or `/api/v2` at its end is taken off, and settles the generation."""
        self._host, generation = without_generation(checked_host(name, value))
        if generation is not None:
            self.api_version = generation

    def _set_host(self, given: str | None, from_environment: str | None) -> None:
        if from_environment and not given:
            self._take_host("the environment variable FREECHAT_HOST", from_environment)
        else:
            self.host = given or self.host

    def _set_generation(self, given: str | None, from_environment: str | None) -> None:
        """Set the generation, unless the host has settled it.

        Raises:
            ApiValueError: if there is no such generation, or the host settles another one.
        """
        settled = self.__dict__.get("api_version")
        if not given and from_environment:
            _check_generation("the environment variable FREECHAT_API_VERSION", from_environment)
        if given and settled and given not in ("auto", settled):
            _check_generation("api_version", given)
            raise ApiValueError(
                f"the host ends in /api/{settled}, but api_version is {given!r}. Leave one of them out."
            )
        self.api_version = settled or given or from_environment or "auto"

    @property
    def access_token(self) -> Any:
        """The bearer token, the function that returns it, or None. A new value takes effect with the next call.

        A token is a str whose repr is `'***'`.
        """
        return self._access_token

    @access_token.setter
    def access_token(self, value: str | Callable[[], str | None] | None) -> None:
        self._access_token = value if callable(value) else checked_token(value)

    def bearer_token(self) -> str | None:
        """Return the token for a call; if `access_token` is a function, call it.

        Raises:
            ApiTypeError, ApiValueError: if the token cannot be sent. The message does not show it.
        """
        token = self._access_token
        return checked_token(token()) if callable(token) else token

    @property
    def hooks(self) -> Any:
        """The hooks that observe every call, as a tuple of `Hooks`."""
        return self._hooks

    @hooks.setter
    def hooks(self, value: Hooks | Sequence[Hooks] | None) -> None:
        self._hooks = _checked_hooks(value)

    def _environment_token(self, is_host_from_code: bool) -> str | None:
        token = checked_token(os.environ.get("FREECHAT_TOKEN"), "the environment variable FREECHAT_TOKEN")
        if token is None:
            return None
        exposed = self.exposed_to(self.proxy)
        if is_host_from_code and exposed is not None:
            import warnings

            warnings.warn(
                f"FREECHAT_TOKEN is not sent to {exposed}, because the host is set in code and the connection is not "
                "encrypted. Use https, or set access_token in code.",
                InsecureTransportWarning,
                stacklevel=4,
            )
            return None
        return token

    def exposed_to(self, proxy: str | None) -> str | None:
        """Return what a token reaches unencrypted on another machine: the host, a proxy on the way to it, or None."""
        if not is_encrypted_or_loopback(self.host):
            return self.host
        is_exposed = not self.host.startswith("https:") and proxy is not None and not is_encrypted_or_loopback(proxy)
        return "the proxy" if is_exposed else None

    @classmethod
    def set_default(cls, default: Configuration | None) -> None:
        """Set the configuration that clients use by default.

        None means a new configuration, made on first use.
        """
        cls._default = default

    @classmethod
    def get_default(cls) -> Configuration:
        """Return the default configuration. It is made on first use."""
        if cls._default is None:
            cls._default = cls()
        return cls._default

    @classmethod
    def get_default_copy(cls) -> Configuration:
        """Return the default configuration itself, as the official clients do in spite of the name."""
        return cls.get_default()

    def auth_settings(self) -> dict[str, dict[str, str]]:
        """Return how requests are authorized, token included, or an empty dict if there is no token."""
        token = self.bearer_token()
        if token is None:
            return {}
        value = f"Bearer {token}"
        return {"bearerAuth": {"type": "bearer", "in": "header", "key": "Authorization", "value": value}}

    def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> str | None:
        """Return an entry of `api_key` with its prefix, or None. FreeChat does not use API keys."""
        if self.refresh_api_key_hook is not None:
            self.refresh_api_key_hook(self)
        name = alias if identifier not in self.api_key and alias is not None else identifier
        key = self.api_key.get(name)
        prefix = self.api_key_prefix.get(identifier) or self.api_key_prefix.get(name)
        return f"{prefix} {key}" if key and prefix else key or None

    def get_basic_auth_token(self) -> str:
        """Return the `Authorization` header for user name and password (RFC 7617). FreeChat does not accept it."""
        from base64 import b64encode

        return "Basic " + b64encode(f"{self.username or ''}:{self.password or ''}".encode()).decode()

    def get_host_settings(self) -> list[dict[str, Any]]:
        """Return the servers that `server_index` selects from. There is one, on this machine."""
        return [{"url": DEFAULT_HOST, "description": "a FreeChat server on this machine"}]

    def get_host_from_settings(
        self,
        index: int | None,
        variables: Mapping[str, str] | None = None,
        servers: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """Return the address of the server at `index`, with the values of `variables` or their defaults.

        An `index` of None means the configured host.

        Raises:
            ApiValueError: if there is no such server, or if the server does not allow a value.
        """
        if index is None:
            return self.host
        known = self.get_host_settings() if servers is None else servers
        if not 0 <= index < len(known):
            raise ApiValueError(f"index {index} is out of range: the number of servers is {len(known)}")
        url: str = known[index]["url"]
        for name, variable in known[index].get("variables", {}).items():
            value = (variables or {}).get(name, variable["default_value"])
            if "enum_values" in variable and value not in variable["enum_values"]:
                raise ApiValueError(f"{name} must be one of {', '.join(variable['enum_values'])}, not {value!r}")
            url = url.replace("{" + name + "}", value)
        return url

    @property
    def logger(self) -> dict[str, Logger]:
        """The loggers of this package and of urllib3."""
        if self._logger is None:
            from logging import getLogger

            self._logger = {"package_logger": getLogger("freechat_sdk"), "urllib3_logger": getLogger("urllib3")}
        return self._logger

    @property
    def debug(self) -> bool:
        """Whether debug messages of the logger `freechat_sdk` are shown. Credentials are never logged."""
        return self._debug

    @debug.setter
    def debug(self, value: bool) -> None:
        from logging import StreamHandler

        self._debug = value
        logger = self.logger["package_logger"]
        logger.setLevel("DEBUG" if value else "WARNING")
        if value and not logger.hasHandlers():
            self.logger_stream_handler = StreamHandler()
            self.logger_stream_handler.setFormatter(self.logger_formatter)
            logger.addHandler(self.logger_stream_handler)
        elif not value and self.logger_stream_handler is not None:
            logger.removeHandler(self.logger_stream_handler)
            self.logger_stream_handler = None

    @property
    def logger_file(self) -> str | None:
        """The path of a file that also gets the log messages of the package, or None."""
        return self._logger_file

    @logger_file.setter
    def logger_file(self, value: str | None) -> None:
        from logging import FileHandler

        logger = self.logger["package_logger"]
        if self.logger_file_handler is not None:
            logger.removeHandler(self.logger_file_handler)
            self.logger_file_handler.close()
            self.logger_file_handler = None
        self._logger_file = value
        if value:
            self.logger_file_handler = FileHandler(value, encoding="utf-8")
            self.logger_file_handler.setFormatter(self.logger_formatter)
            logger.addHandler(self.logger_file_handler)

    @property
    def logger_format(self) -> str:
        """The format of log messages, as `logging.Formatter` takes it."""
        return self._logger_format

    @logger_format.setter
    def logger_format(self, value: str) -> None:
        self._logger_format = value
        for handler in (self.logger_file_handler, self.logger_stream_handler):
            if handler is not None:
                handler.setFormatter(self.logger_formatter)

    @property
    def logger_formatter(self) -> Formatter:
        """The formatter of log messages."""
        from logging import Formatter

        return Formatter(self._logger_format)

    def to_debug_report(self) -> str:
        """Return the versions to state in a bug report. The text does not hold settings or credentials."""
        import platform
        from importlib.metadata import version

        from freechat_sdk import __version__

        packages = ("urllib3", "pydantic", "python-dateutil", "typing-extensions")
        return "\n".join(
            [
                "Python SDK Debug Report:",
                f"OS: {platform.platform()}",
                f"Python Version: {platform.python_version()}",
                f"SDK Package Version: {__version__}",
                *(f"{package}: {version(package)}" for package in packages),
            ]
        )

    def __repr__(self) -> str:
        given = self.__dict__  # a debugger may ask while `__init__` runs
        token = repr(MASK) if callable(given.get("_access_token")) else repr(given.get("_access_token"))
        host, api_version = given.get("_host"), given.get("api_version")
        return f"Configuration(host={host!r}, access_token={token}, api_version={api_version!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_logger": None, "logger_file_handler": None, "logger_stream_handler": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from copy import deepcopy

        copied = type(self).__new__(type(self))
        for name, value in self.__getstate__().items():
            copied.__dict__[name] = value if name in _SHARED else deepcopy(value, memo)
        return copied


def check_seconds(name: str, value: object) -> float:
    """Return a time limit as a float.

    Raises:
        ApiTypeError: if it is not a number.
        ApiValueError: if it is zero, negative or not finite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ApiTypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise ApiValueError(f"{name} must be a finite number of seconds above 0, not {value}")
    return float(min(value, MAX_SECONDS))


def _check_generation(name: str, value: object) -> None:
    """Check the name of a generation.

    Raises:
        ApiValueError: if there is no such generation. The message does not show it: it may be a misplaced token.
    """
    if value not in GENERATIONS:
        raise ApiValueError(f"{name} must be one of {', '.join(GENERATIONS)}")


def _check_count(name: str, value: object) -> None:
    """Check a number of connections or bytes.

    Raises:
        ApiTypeError: if it is not an int.
        ApiValueError: if it is not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ApiTypeError(f"{name} must be an int, not {type(value).__name__}")
    if value <= 0:
        raise ApiValueError(f"{name} must be above 0, not {value}")


def _check_tls(name: str, value: object) -> None:
    """Check a setting of TLS or of sockets.

    Raises:
        ApiTypeError, ApiValueError: if it has the wrong type.
    """
    import ssl

    kinds: dict[str, tuple[type, ...]] = {
        "ca_cert_data": (str, bytes),
        "proxy_ssl_context": (ssl.SSLContext,),
        "socket_options": (list, tuple),
        "tls_server_name": (str,),
    }
    if name == "assert_hostname" and value is False:
        return
    expected = kinds.get(name, (str,) if name == "assert_hostname" else (str, os.PathLike))
    if not isinstance(value, expected):
        names = " or ".join(kind.__name__ for kind in expected)
        raise ApiTypeError(f"{name} must be a {names}, not {type(value).__name__}")
    if isinstance(value, (list, tuple)) and not all(isinstance(item, tuple) and len(item) in (3, 4) for item in value):
        raise ApiTypeError(f"{name} must be a list of tuples with the arguments of socket.setsockopt")


def _checked_hooks(value: Any) -> tuple[Hooks, ...]:
    """Return hooks as a tuple.

    Raises:
        ApiTypeError: if the value is not a `Hooks`, a list or tuple of them, or None.
    """
    if value is None:
        return ()
    from freechat_sdk.hooks import Hooks

    given = (value,) if isinstance(value, Hooks) else tuple(value) if isinstance(value, (list, tuple)) else value
    if not isinstance(given, tuple) or not all(isinstance(hook, Hooks) for hook in given):
        raise ApiTypeError(f"hooks must be a freechat_sdk.Hooks or a list of them, not {type(value).__name__}")
    return given
