"""What a program did that it should not do to a FreeChat server, judged by its requests."""

from collections.abc import Iterator, Sequence

from freechat_sdk.sandbox._journal import Exchange

MAX_RECONNECTIONS = 4
"""How many calls may come on a new connection although there was one that could be kept."""
MAX_POLLS = 4
"""How many times in a row the same may be read, each less than a second after the one before."""
POLL_SECONDS = 1.0
LEAVING_SECONDS = 0.5
"""How long the end of a stream that was closed may take to arrive."""
_TOKEN_NAMES = frozenset({"access_token", "api_key", "apikey", "authorization", "token"})


def verdict(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Yield what is wrong, a sentence or two for each kind and operation."""
    for judge in (_sent_again, _overlapping, _reconnecting, _polling, _left_open, _tokens_in_queries):
        yield from dict.fromkeys(judge(list(exchanges)))


def _sent_again(exchanges: list[Exchange]) -> Iterator[str]:
    """A caller may send again once it has looked whether the first request arrived."""
    doubtful: dict[tuple[object, ...], Exchange] = {}
    for exchange in exchanges:
        retry = exchange.operation.retry if exchange.operation else ""
        if retry == "read" and exchange.status == 200:
            doubtful = {key: other for key, other in doubtful.items() if other.token != exchange.token}
        if retry != "once":
            continue
        if exchange.key in doubtful:
            yield (
                f"{exchange.name} was sent again although the first request may have been carried out. Read what the "
                "server has before you send it again."
            )
        if exchange.is_doubtful:
            doubtful[exchange.key] = exchange


def _overlapping(exchanges: list[Exchange]) -> Iterator[str]:
    for exchange in exchanges:
        if exchange.overlaps:
            yield (
                f"{exchange.name} was called while another message to the same chat was under way. Wait for its "
                "answer, or close its stream, before you send the next one."
            )


def _reconnecting(exchanges: list[Exchange]) -> Iterator[str]:
    count = sum(exchange.reconnects for exchange in exchanges)
    if count > MAX_RECONNECTIONS:
        yield (
            f"{count} calls came on a new connection each, although the one before could have been kept. Make one "
            "client and use it for all calls."
        )


def _polling(exchanges: list[Exchange]) -> Iterator[str]:
    runs: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        run = runs.setdefault(exchange.token, [])
        if run and (run[-1].key != exchange.key or exchange.began - run[-1].began >= POLL_SECONDS):
            run.clear()
        run.append(exchange)
        if exchange.operation and exchange.operation.retry == "read" and len(run) > MAX_POLLS:
            yield f"{exchange.name} was polled faster than once a second. Wait a second or more between two calls."


def _left_open(exchanges: list[Exchange]) -> Iterator[str]:
    for exchange in exchanges:
        is_stream = exchange.operation is not None and exchange.operation.kind == "events"
        if is_stream and exchange.status == 200 and exchange.is_under_way(LEAVING_SECONDS):
            yield f"{exchange.name}: a stream was left open. Read it to its end, or close it: `with ... as stream`."


def _tokens_in_queries(exchanges: list[Exchange]) -> Iterator[str]:
    for exchange in exchanges:
        for name, value in exchange.request.query.items():
            if name.lower() in _TOKEN_NAMES or value.startswith("fc-") or (value and value == exchange.token):
                yield (
                    f"{exchange.name}: the query holds a token, as {name!r}, where logs show it. Send it in the header "
                    "Authorization: Bearer."
                )
