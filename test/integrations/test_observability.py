"""OpenTelemetry's instrumentation of urllib3, and Sentry's SDK: they see every request, and no token."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from freechat_sdk import ChatApi, NotFoundException
from test.clients import TOKEN, chat_api
from test.server import FINAL, Handler, events_response, in_order, json_response


def four_requests() -> Handler:
    """Return the handler for the requests of `make_three_calls`."""
    return in_order(json_response({}, 503), json_response([]), json_response({}, 404), events_response(FINAL))


def make_three_calls(api: ChatApi) -> None:
    """Make a call that is sent twice, one that fails, and a stream. Report the error to Sentry, if that is set up."""
    assert api.list_chats() == []
    with pytest.raises(NotFoundException) as caught:
        api.send_message("chat", "Hi")
    sentry_sdk.capture_exception(caught.value)
    assert api.stream_send_message("chat", "Hi").until_done().answer == "Hi"


def test_opentelemetry_sees_every_request_and_no_token() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = URLLib3Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with chat_api(four_requests()) as (api, server):
            make_three_calls(api)
    finally:
        instrumentor.uninstrument()
        provider.shutdown()

    spans = exporter.get_finished_spans()
    statuses = [dict(span.attributes or {}).get("http.status_code") for span in spans]
    assert statuses == [503, 200, 404, 200]
    sent = [request.header("traceparent") for request in server.requests]
    ids = [f"{span.context.span_id:016x}" for span in spans if span.context is not None]
    assert ids == [str(header).split("-")[2] for header in sent]
    assert TOKEN not in "".join(span.to_json() for span in spans)


@pytest.fixture
def sentry_events() -> Iterator[list[dict[str, Any]]]:
    """Set Sentry up, and yield the events that it would send."""
    events: list[dict[str, Any]] = []

    def keep(event: Any, hint: Any) -> None:
        events.append(json.loads(json.dumps(event, default=repr)))

    sentry_sdk.init(
        dsn="http://public@127.0.0.1:9/1",
        before_send=keep,
        before_send_transaction=keep,
        traces_sample_rate=1.0,
        include_local_variables=True,
        max_request_body_size="always",
    )
    yield events
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def test_sentry_sees_every_request_and_no_token(sentry_events: list[dict[str, Any]]) -> None:
    with chat_api(four_requests()) as (api, server), sentry_sdk.start_transaction(name="calls"):
        make_three_calls(api)

    error, transaction = sentry_events
    spans = [span for span in transaction["spans"] if span["op"] == "http.client"]
    assert [span["data"]["http.response.status_code"] for span in spans] == [503, 200, 404, 200]
    assert spans[0]["description"] == f"GET {server.url}/api/v1/chat"
    sent = [str(request.header("sentry-trace")).split("-")[1] for request in server.requests]
    assert sent == [span["span_id"] for span in spans]
    assert error["exception"]["values"][-1]["type"] == "NotFoundException"
    crumbs = [crumb["data"]["url"] for crumb in error["breadcrumbs"]["values"]]
    assert crumbs[-1] == f"{server.url}/api/v1/chat/send/chat"
    assert TOKEN not in json.dumps(sentry_events)
