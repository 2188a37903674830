"""Run a sandbox: `python -m freechat_sdk.sandbox`. It prints what a client needs, and stops on Ctrl-C."""

import argparse
import signal
import sys
import threading
from types import FrameType

try:
    from freechat_sdk import sandbox
    from freechat_sdk.sandbox import Sandbox
    from freechat_sdk.sandbox._release import RELEASES
except ImportError as error:
    raise SystemExit(str(error)) from None

ADMIN_TOKEN = f"fc-{1:032x}"
TOKEN = f"fc-{2:032x}"
"""The same on each machine, so that pages and scripts can name them; nobody but this machine can reach the server."""
_DELAY = 0.03


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes; the exit status is 0 then, and 1 where the server cannot start."""
    options = _parser().parse_args(arguments)
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        server = Sandbox(
            release=options.release,
            port=options.port,
            db=options.db,
            model=sandbox.forward if options.forward else sandbox.echo,
            delay=_DELAY if options.delay is None and not options.forward else options.delay or 0.0,
            faithful=options.faithful,
            token=options.token,
            admin_token=options.admin_token,
        )
    except (OSError, ValueError) as error:
        print(f"the sandbox cannot start: {error}", file=sys.stderr)
        return 1
    with server:
        print(f"export FREECHAT_HOST={server.host}")
        print(f"export FREECHAT_TOKEN={server.token}")
        print(f"export FREECHAT_CHARACTER={server.character.uid}")
        print(f"# The administrator's token: {options.admin_token}")
        print("# Stop with Ctrl-C.", flush=True)
        while not ended.wait(0.2):
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m freechat_sdk.sandbox", description=__doc__)
    parser.add_argument("--release", choices=RELEASES, default="2.9.0", help="which server to be (default 2.9.0)")
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1; 0 takes a free one (default 8080)")
    parser.add_argument("--db", metavar="FILE", help="keep everything in this file (default: in memory)")
    parser.add_argument("--faithful", action="store_true", help="do wrong what real servers do wrong")
    parser.add_argument("--admin-token", default=ADMIN_TOKEN, help=f"the administrator's token (default {ADMIN_TOKEN})")
    parser.add_argument("--token", default=TOKEN, help=f"a plain user's token (default {TOKEN})")
    parser.add_argument("--forward", action="store_true", help="ask the servers that tasks name instead of echoing")
    parser.add_argument(
        "--delay", type=float, metavar="SECONDS", help=f"wait before each token (default {_DELAY} of an echo)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
