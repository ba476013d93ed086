"""A provider in a process of its own, which survives whatever happens to the gateway.

Usage: `python fake_provider.py LOG`. It prints its port, then answers chat calls until its standard
input closes. LOG gets one line, one `write`, for every call as soon as it has arrived: the token in
the call's last message. What the token begins with says how it is answered: `s` as a stream, `f`
with a 503 the first time, `slow` as a stream of some seconds. `usage_of` says what it bills.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import zlib


def usage_of(token: str) -> dict[str, int]:
    """What a call with this token is billed for; differs from call to call."""
    prompt = 1 + zlib.crc32(token.encode()) % 9973
    return {"prompt_tokens": prompt, "completion_tokens": 10, "total_tokens": prompt + 10}


def frame(**fields: object) -> bytes:
    event = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m1", **fields}
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(status: str, body: object) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        status.encode(),
        len(data),
        data,
    )


class Provider:
    """Answers; keeps which tokens it has refused once."""

    def __init__(self, log: str) -> None:
        self._fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._refused: set[str] = set()
        self._rng = random.Random(7)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                body = json.loads(await reader.readexactly(int(length)))
                token = body["messages"][-1]["content"]
                os.write(self._fd, f"{token}\n".encode())
                await self.answer(token, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the gateway left, or was killed
        finally:
            writer.close()

    async def answer(self, token: str, writer: asyncio.StreamWriter) -> None:
        if token.startswith("f") and token not in self._refused:
            self._refused.add(token)
            error = {"message": "busy", "type": "server_error", "param": None, "code": None}
            writer.write(whole("503 Busy\r\nretry-after: 0", {"error": error}))
        elif token.startswith("s"):
            await self.stream(token, writer)
        else:
            await asyncio.sleep(self._rng.random() * 0.02)
            message = {"role": "assistant", "content": token}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": "c", "object": "chat.completion", "created": 1, "model": "m1"}
            usage = usage_of(token)
            writer.write(whole("200 OK", {**answer, "choices": [choice], "usage": usage}))
        await writer.drain()

    async def stream(self, token: str, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        pause = 0.2 if token.startswith("slow") else 0.006
        for word in range(10):
            delta = {"content": f"{word} "}
            choice = {"index": 0, "delta": delta, "finish_reason": None}
            writer.write(frame(choices=[choice], usage=None))
            await writer.drain()
            await asyncio.sleep(self._rng.random() * pause)
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        writer.write(frame(choices=[last], usage=None))
        writer.write(frame(choices=[], usage=usage_of(token)))
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


async def main(log: str) -> None:
    server = await asyncio.start_server(Provider(log).serve, "127.0.0.1", 0, backlog=512)
    os.write(1, b"%d\n" % server.sockets[0].getsockname()[1])
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
