"""
The server of the streams: `python -m mario.live --port 8083`.

uvicorn, which tells every open page to come back before it ends: a stream never ends by
itself, and a restart would otherwise wait for all of them.
"""

import argparse
import resource
from types import FrameType

import uvicorn

from mario.asgi import application


class _Server(uvicorn.Server):
    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        application.say_goodbye()
        super().handle_exit(sig, frame)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m mario.live")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8083)
    chosen = parser.parse_args()
    # A page is a file; 1,024 of them are what a system gives unasked.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config = uvicorn.Config(
        application,
        host=chosen.host,
        port=chosen.port,
        lifespan="off",
        # Addresses of streams say who looks at what.
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        backlog=2048,
    )
    _Server(config).run()


if __name__ == "__main__":
    main()
