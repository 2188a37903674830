"""Run a sandbox: `python -m freechat_sdk.sandbox`. It prints what a client needs, and stops on Ctrl-C."""

import argparse
import signal
import sys
import threading
from types import FrameType

try:
    from freechat_sdk.sandbox import Sandbox
    from freechat_sdk.sandbox._release import RELEASES
except ImportError as error:
    raise SystemExit(str(error)) from None


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal comes; the exit status is 0 then, and 1 where the server cannot start."""
    options = _parser().parse_args(arguments)
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        sandbox = Sandbox(
            release=options.release,
            port=options.port,
            db=options.db,
            delay=options.delay,
            faithful=options.faithful,
        )
    except (OSError, ValueError) as error:
        print(f"the sandbox cannot start: {error}", file=sys.stderr)
        return 1
    with sandbox:
        print(f"export FREECHAT_HOST={sandbox.host}")
        print(f"export FREECHAT_TOKEN={sandbox.token}")
        print(f"# A character to talk to: {sandbox.character.uid}")
        print("# Stop with Ctrl-C.", flush=True)
        while not ended.wait(0.2):
            pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m freechat_sdk.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port on 127.0.0.1; 0 takes a free one (default 8080)")
    parser.add_argument("--db", metavar="FILE", help="keep everything in this file (default: in memory)")
    parser.add_argument("--release", choices=sorted(RELEASES), default="2.9.0", help="which server to be")
    parser.add_argument("--delay", type=float, default=0.03, metavar="SECONDS", help="wait before each token")
    parser.add_argument("--faithful", action="store_true", help="do wrong what real servers do wrong")
    return parser


if __name__ == "__main__":
    sys.exit(main())
