"""Configuration: defaults, the environment, checks that show no credential, copies."""

import copy
import logging
import pickle
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from freechat_sdk import ApiTypeError, ApiValueError, Configuration
from freechat_sdk.rest import RetryPolicy
from test.clients import TOKEN


def test_the_defaults() -> None:
    configuration = Configuration()
    assert (configuration.host, configuration.access_token) == ("http://127.0.0.1:8080", None)
    assert (configuration.api_version, configuration.retries) == ("auto", None)
    assert (configuration.timeout, configuration.model_timeout, configuration.connect_timeout) == (60, 300, 5)
    assert configuration.stream_first_event_timeout == 300
    assert (configuration.stream_idle_timeout, configuration.stream_timeout) == (120, None)
    assert configuration.verify_ssl is True


def test_each_variable_of_the_environment_is_read_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
    assert (Configuration().host, Configuration().access_token) == ("http://127.0.0.1:8080", TOKEN)
    monkeypatch.setenv("FREECHAT_HOST", "http://chat.example.com/")
    monkeypatch.setenv("FREECHAT_API_VERSION", "v2")
    configuration = Configuration()
    assert (configuration.host, configuration.api_version) == ("http://chat.example.com", "v2")
    assert configuration.access_token == TOKEN
    given = Configuration("https://other.example.com", access_token="mine", api_version="v1")
    assert (given.host, given.access_token, given.api_version) == ("https://other.example.com", "mine", "v1")


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FREECHAT_HOST", "FREECHAT_TOKEN", "FREECHAT_API_VERSION"):
        monkeypatch.setenv(name, "")
    configuration = Configuration()
    assert (configuration.host, configuration.access_token, configuration.api_version) == (
        "http://127.0.0.1:8080",
        None,
        "auto",
    )


@pytest.mark.parametrize(
    "host",
    [
        "https://chat.example.com",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://localhost:1",
        "http://[::1]:8080",
    ],
)
def test_a_token_of_the_environment_goes_to_a_host_in_code_over_https_or_loopback(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
    assert Configuration(host).access_token == TOKEN


@pytest.mark.parametrize("host", ["http://chat.example.com", "http://10.0.0.1", "http://localhost.example.com"])
def test_a_token_of_the_environment_does_not_go_elsewhere(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
    with pytest.warns(UserWarning, match="FREECHAT_TOKEN") as caught:
        assert Configuration(host).access_token is None
    assert TOKEN not in str(caught[0].message)
    assert caught[0].filename == __file__
    assert Configuration(host, access_token=TOKEN).access_token == TOKEN


def test_a_token_of_the_environment_does_not_go_to_a_proxy_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FREECHAT_TOKEN", TOKEN)
    with pytest.warns(UserWarning, match="not sent to the proxy"):
        assert Configuration("http://127.0.0.1:8080", proxy="http://proxy.example.com:1").access_token is None
    for host, proxy in (
        ("http://127.0.0.1:8080", "http://127.0.0.1:1"),
        ("http://127.0.0.1:8080", "https://proxy.example.com:1"),
        ("https://chat.example.com", "http://proxy.example.com:1"),
    ):
        assert Configuration(host, proxy=proxy).access_token == TOKEN


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("ssl_ca_cert", 5),
        ("ssl_ca_cert", b"bytes"),
        ("cert_file", True),
        ("key_file", ["key"]),
        ("ca_cert_data", 5),
        ("assert_hostname", True),
        ("assert_hostname", 5),
        ("tls_server_name", b"name"),
        ("proxy_ssl_context", "context"),
        ("socket_options", 5),
        ("socket_options", [5]),
        ("socket_options", [(1, 2)]),
    ],
)
def test_a_tls_setting_of_a_wrong_type_is_refused_when_it_is_given(setting: str, wrong: Any) -> None:
    with pytest.raises(ApiTypeError, match=setting):
        Configuration(**{setting: wrong})
    configuration = Configuration()
    with pytest.raises(ApiTypeError, match=setting):
        setattr(configuration, setting, wrong)


@pytest.mark.parametrize(
    "settings",
    [
        {"ssl_ca_cert": Path("ca.pem"), "cert_file": "a.pem", "key_file": "b.pem", "ca_cert_data": b"DER"},
        {"assert_hostname": "a", "tls_server_name": "b", "ca_cert_data": "PEM"},
        {"assert_hostname": False, "proxy_ssl_context": ssl.create_default_context()},
        {"socket_options": [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (1, 2, None, 4)]},
    ],
)
def test_tls_settings_of_the_documented_types_are_kept(settings: dict[str, Any]) -> None:
    configuration = Configuration(**settings)
    assert {name: getattr(configuration, name) for name in settings} == settings


BAD_TOKENS = [" ", f"{TOKEN}\n", f"{TOKEN}\r\nX: 1", f" {TOKEN}", f"{TOKEN}\0", "tökén", f"{TOKEN}\x7f"]


def test_an_empty_token_is_none_as_environments_give_it() -> None:
    assert Configuration(access_token="").access_token is None
    assert Configuration(access_token=lambda: "").bearer_token() is None


@pytest.mark.parametrize("token", BAD_TOKENS)
def test_a_token_that_cannot_be_a_header_is_refused_and_not_shown(token: str) -> None:
    configuration = Configuration()
    with pytest.raises(ApiValueError, match="access_token") as caught:
        configuration.access_token = token
    assert TOKEN not in str(caught.value)
    with pytest.raises(ApiTypeError, match="access_token"):
        configuration.access_token = token.encode()  # type: ignore[assignment]


BAD_HOSTS: list[Any] = [
    "ftp://chat.example.com",
    "http://",
    "http://a b",
    "http://a\n",
    "http://a:99999",
    "http://a:x",
    "http://a?b=1",
    "http://a#b",
    "http://[::1",
]


def test_a_host_without_a_scheme_is_one_with_http() -> None:
    assert Configuration("127.0.0.1:8080").host == "http://127.0.0.1:8080"


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_what_is_not_an_address_is_refused(host: str) -> None:
    with pytest.raises(ApiValueError, match="host"):
        Configuration(host)


def test_a_host_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(ApiValueError, match="access_token") as caught:
        Configuration("http://user:pass-word@chat.example.com")
    assert "pass-word" not in str(caught.value)
    with pytest.raises(ApiTypeError, match="host"):
        Configuration(5)  # type: ignore[arg-type]


TIMEOUTS = ["timeout", "model_timeout", "connect_timeout", "stream_idle_timeout", "stream_timeout"]


@pytest.mark.parametrize("name", TIMEOUTS)
def test_a_timeout_is_a_finite_number_above_zero_or_none(name: str) -> None:
    settings: dict[str, Any] = {name: 3}
    configuration = Configuration(**settings)
    assert getattr(configuration, name) == 3
    setattr(configuration, name, None)
    for wrong in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ApiValueError, match=name):
            setattr(configuration, name, wrong)
    for not_a_number in (True, "5"):
        with pytest.raises(ApiTypeError, match=name):
            setattr(configuration, name, not_a_number)


@pytest.mark.parametrize("name", ["connection_pool_maxsize", "max_event_bytes", "max_response_bytes"])
def test_a_size_is_a_whole_number_above_zero_or_none(name: str) -> None:
    configuration = Configuration()
    for wrong in (0, -1, True, 1.5, "1"):
        with pytest.raises((ApiTypeError, ApiValueError), match=name):
            setattr(configuration, name, wrong)
    setattr(configuration, name, 7)
    assert getattr(configuration, name) == 7


def test_what_gives_a_token_is_shared_by_copies_and_not_shown() -> None:
    class Vault:
        def __init__(self) -> None:
            self.lock = threading.Lock()  # nothing that can be copied

        def __call__(self) -> str:
            return TOKEN

        def __repr__(self) -> str:
            return f"Vault({TOKEN})"

    configuration = Configuration(access_token=Vault())
    copied = copy.deepcopy(configuration)
    assert copied.bearer_token() == TOKEN
    assert TOKEN not in repr(copied)
    assert copied.auth_settings()["bearerAuth"]["value"] == f"Bearer {TOKEN}"


def test_an_unknown_generation_is_refused() -> None:
    with pytest.raises(ApiValueError, match="auto, v1, v2"):
        Configuration(api_version="v3")


def test_no_print_shows_a_credential() -> None:
    secret = "pass-word"
    configuration = Configuration(
        access_token=TOKEN, password=secret, api_key={"a": secret}, proxy_headers={"Proxy-Authorization": secret}
    )
    shown = f"{configuration!r}{configuration}{configuration.to_debug_report()}"
    assert TOKEN not in shown
    assert secret not in shown
    assert "access_token='***'" in repr(configuration)
    assert "access_token=None" in repr(Configuration())


def test_the_debug_report_names_the_versions() -> None:
    report = Configuration().to_debug_report()
    for word in ("Python", "SDK Package Version", "urllib3: ", "pydantic: "):
        assert word in report


def test_the_default_is_shared() -> None:
    default = Configuration.get_default()
    assert Configuration.get_default() is default
    assert Configuration.get_default_copy() is default  # the official clients' way
    other = Configuration()
    Configuration.set_default(other)
    assert Configuration.get_default() is other


def test_auth_settings_hold_the_token_only_if_there_is_one() -> None:
    assert Configuration().auth_settings() == {}
    settings = Configuration(access_token=TOKEN).auth_settings()
    assert settings["bearerAuth"]["value"] == f"Bearer {TOKEN}"


def test_api_keys_and_basic_auth_are_given_as_before() -> None:
    configuration = Configuration(api_key={"a": "1"}, api_key_prefix={"a": "Key"}, username="u", password="p")
    assert configuration.get_api_key_with_prefix("a") == "Key 1"
    assert configuration.get_api_key_with_prefix("b", alias="a") == "Key 1"
    assert configuration.get_api_key_with_prefix("b") is None
    assert configuration.get_basic_auth_token() == "Basic dTpw"
    configuration.refresh_api_key_hook = lambda hooked: hooked.api_key.update(a="2")
    assert configuration.get_api_key_with_prefix("a") == "Key 2"


def test_a_server_is_chosen_from_a_list() -> None:
    servers = [{"url": "http://{name}", "variables": {"name": {"default_value": "a", "enum_values": ["a", "b"]}}}]
    configuration = Configuration()
    assert configuration.get_host_from_settings(0, None, servers) == "http://a"
    assert configuration.get_host_from_settings(0, {"name": "b"}, servers) == "http://b"
    assert configuration.get_host_from_settings(None, {"name": "b"}, servers) == configuration.host
    with pytest.raises(ApiValueError, match="name must be one of a, b"):
        configuration.get_host_from_settings(0, {"name": "c"}, servers)
    with pytest.raises(ApiValueError, match="index 1 is out of range"):
        configuration.get_host_from_settings(1)
    assert configuration.get_host_settings()[0]["url"] == configuration.host


def test_log_messages_go_to_a_file_too(tmp_path: Path) -> None:
    configuration = Configuration()
    configuration.logger_file = str(tmp_path / "log.txt")
    configuration.logger_format = "%(levelname)s: %(message)s"
    configuration.logger["package_logger"].warning("hello")
    configuration.logger_file = None
    assert (tmp_path / "log.txt").read_text() == "WARNING: hello\n"
    assert configuration.logger["package_logger"].handlers == []


def test_debug_sets_the_level_of_the_package_logger_and_leaves_http_client_as_it_is() -> None:
    import http.client

    configuration = Configuration(debug=True)
    logger = logging.getLogger("freechat_sdk")
    assert (configuration.debug, logger.level) == (True, logging.DEBUG)
    configuration.debug = False
    assert (configuration.debug, logger.level) == (False, logging.WARNING)
    assert http.client.HTTPConnection.debuglevel == 0


def test_it_pickles_and_copies_with_its_token_and_without_its_loggers(tmp_path: Path) -> None:
    policy = RetryPolicy(retries=4)
    configuration = Configuration("https://a", access_token=TOKEN, retries=policy, server_variables={"a": "b"})
    configuration.logger_file = str(tmp_path / "log.txt")
    for copied in (pickle.loads(pickle.dumps(configuration)), copy.deepcopy(configuration)):
        assert (copied.host, copied.access_token, copied.retries) == ("https://a", TOKEN, policy)
        assert (copied.logger_file_handler, copied.server_variables) == (None, {"a": "b"})
        assert copied.server_variables is not configuration.server_variables
        assert copied.logger["package_logger"].name == "freechat_sdk"
    configuration.logger_file = None
