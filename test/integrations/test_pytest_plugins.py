"""pytest-recording and pytest-socket, as users' test suites have them."""

from collections.abc import Iterator

import pytest
import pytest_socket

from test.clients import chat_api, chat_api_at
from test.server import RecordingServer, chats_and_streams, json_response

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from freechat_sdk import ApiClient, ChatApi, Configuration

pytestmark = pytest.mark.filterwarnings("ignore::freechat_sdk.ForeignConnectionWarning")


@pytest.fixture(scope="module")
def vcr_config():
    return {{"filter_headers": ["Authorization"]}}


@pytest.mark.vcr
def test_a_conversation():
    with ApiClient(Configuration({host!r}, access_token="fc-secret")) as client:
        chats = ChatApi(client)
        assert chats.list_chats() == []
        with chats.stream_send_message("chat", "Hi") as stream:
            assert list(stream.text_deltas()) == ["Hi"]


def test_the_network_is_blocked():
    with ApiClient(Configuration({host!r}, retries=0)) as client:
        with pytest.raises(RuntimeError, match="Network is disabled"):
            ChatApi(client).list_chats()
"""


# pytest-recording


def test_a_suite_is_recorded_once_and_replayed_with_the_network_blocked(pytester: pytest.Pytester) -> None:
    with RecordingServer(chats_and_streams) as server:
        pytester.makepyfile(SUITE.format(host=server.url))
        pytester.runpytest_subprocess("--record-mode=once", "-k", "conversation").assert_outcomes(
            passed=1, deselected=1
        )
        count = len(server.requests)

    pytester.runpytest_subprocess("--record-mode=none", "--block-network").assert_outcomes(passed=2)

    (cassette,) = pytester.path.rglob("*.yaml")
    assert (count, len(server.requests)) == (2, 2)
    assert "fc-secret" not in cassette.read_text("utf-8")


# pytest-socket


@pytest.fixture
def sockets() -> Iterator[None]:
    """Undo what a test forbids."""
    yield
    pytest_socket.enable_socket()
    pytest_socket._remove_restrictions()


@pytest.mark.filterwarnings("ignore:A test tried to use:UserWarning")
def test_a_blocked_socket_is_the_error_of_pytest_socket(sockets: None) -> None:
    with chat_api_at("http://127.0.0.1:9", connection_pool_maxsize=1, connection_pool_block=True) as api:
        pytest_socket.disable_socket()
        for _ in range(2):
            with pytest.raises(pytest_socket.SocketBlockedError):
                api.list_chats()


@pytest.mark.filterwarnings("ignore:A test tried to use:UserWarning")
def test_only_allowed_hosts_are_called(sockets: None) -> None:
    with chat_api(json_response([])) as (api, _), chat_api_at("http://127.0.0.2:9", retries=0) as other:
        pytest_socket.socket_allow_hosts(["127.0.0.1"])
        assert api.list_chats() == []
        with pytest.raises(pytest_socket.SocketConnectBlockedError):
            other.list_chats()
