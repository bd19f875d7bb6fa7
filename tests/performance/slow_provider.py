"""
`python -m tests.performance.slow_provider ANSWERS SECONDS`: a token endpoint.

It answers each refresh token with what the file says, after some seconds; `GET /`
tells how often each was shown. Prints its port.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs


async def main() -> None:
    answers = json.loads(Path(sys.argv[1]).read_text())
    seconds = float(sys.argv[2])
    shown: Counter[str] = Counter()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            body = json.dumps(shown).encode()
        else:
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            form = parse_qs((await reader.readexactly(length)).decode())
            (token,) = form["refresh_token"]
            shown[token] += 1
            await asyncio.sleep(seconds)
            body = json.dumps(answers[token]).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (len(body), body)
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
