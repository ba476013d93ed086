"""The driver shows what an app sends, when it sends it, and what it does when nobody listens."""

from __future__ import annotations

import anyio
import pytest

from flo2.shell.body import CLIENT_LEFT
from flo2.testing.asgi import Answer, AppMisbehaved, ASGIDriver

START = {"type": "http.response.start", "status": 200, "headers": [(b"X-Name", b"v")]}


def part(data, more=True):
    return {"type": "http.response.body", "body": data, "more_body": more}


async def echo(scope, receive, send):
    seen = []
    while True:
        message = await receive()
        seen.append(message["body"])
        if not message["more_body"]:
            break
    await send(START)
    for data in seen:
        await send(part(data))
    await send(part(b"", more=False))


class Counter:
    """Sends 0, 1, 2, … until told otherwise; keeps what happened to it."""

    def __init__(self, limit=1000):
        self.limit = limit
        self.sent = []
        self.events = []

    async def __call__(self, scope, receive, send):
        scope["extensions"][CLIENT_LEFT](lambda: self.events.append("left"))
        await send(START)
        for n in range(self.limit):
            await send(part(b"%d" % n))
            self.sent.append(n)
        await send(part(b"", more=False))
        self.events.append((await receive())["type"])
        self.events.append("settled")


async def test_an_answer_is_whole_and_keeps_its_chunks():
    answer = await ASGIDriver(echo).request("POST", "/x", body=[b"ab", b"", b"cd"])
    assert answer == Answer(200, (("x-name", "v"),), (b"ab", b"cd"))
    assert (
        answer.body,
        answer.text,
        answer.header("X-Name"),
        answer.header("absent"),
    ) == (b"abcd", "abcd", "v", None)


async def test_the_scope_is_what_a_server_gives():
    seen = {}

    async def app(scope, receive, send):
        seen.update(scope)
        await echo(scope, receive, send)

    driver = ASGIDriver(app, root_path="/llm")
    answer = await driver.request(
        "POST", "/a%20b?q=1", json={"a": 1}, key="k", headers={"x-A": "b"}
    )
    assert answer.json() == {"a": 1}
    assert (seen["path"], seen["raw_path"], seen["query_string"], seen["root_path"]) == (
        "/llm/a b",
        b"/llm/a%20b",
        b"q=1",
        "/llm",
    )
    assert seen["headers"] == [
        (b"host", b"flo2.test"),
        (b"content-type", b"application/json"),
        (b"content-length", b"8"),
        (b"authorization", b"Bearer k"),
        (b"x-a", b"b"),
    ]


async def test_a_stream_is_seen_message_by_message():
    app = Counter()
    async with ASGIDriver(app).stream("GET", "/") as stream:
        assert (stream.status, stream.header("x-name")) == (200, "v")
        assert await stream.chunk() == b"0"
        assert await stream.chunk() == b"1"
        # The app is in its third send at most: nothing is gathered in between.
        assert len(app.sent) <= 2
        assert not stream.is_complete


async def test_a_whole_stream_ends_and_lets_the_app_finish():
    app = Counter(limit=3)
    async with ASGIDriver(app).stream("GET", "/") as stream:
        assert [chunk async for chunk in stream] == [b"0", b"1", b"2"]
        assert stream.is_complete
    assert app.events == ["http.disconnect", "settled"]


async def test_hanging_up_tells_the_app_and_drops_what_it_sends():
    app = Counter(limit=5)
    async with ASGIDriver(app).stream("GET", "/") as stream:
        assert await stream.chunk() == b"0"
        await stream.hang_up()
        assert await stream.chunk() is None
    assert app.events == ["left", "http.disconnect", "settled"]
    assert app.sent == [0, 1, 2, 3, 4]


async def test_hanging_up_can_cancel_the_work():
    done = []

    async def app(scope, receive, send):
        with anyio.CancelScope() as work:
            scope["extensions"][CLIENT_LEFT](work.cancel)
            await send(START)
            await anyio.sleep_forever()
        done.append("cancelled")

    async with ASGIDriver(app).stream("GET", "/"):
        pass
    assert done == ["cancelled"]


async def test_a_forgotten_callback_is_not_called():
    called = []

    async def app(scope, receive, send):
        forget = scope["extensions"][CLIENT_LEFT](lambda: called.append("left"))
        forget()
        await send(START)
        await receive()
        await receive()
        scope["extensions"][CLIENT_LEFT](lambda: called.append("late"))

    async with ASGIDriver(app).stream("GET", "/") as stream:
        await stream.hang_up()
    assert called == ["late"]


async def test_the_body_of_a_test_fails_as_itself():
    with pytest.raises(ZeroDivisionError):
        async with ASGIDriver(Counter()).stream("GET", "/"):
            1 / 0  # noqa: B018


async def test_an_app_that_fails_mid_stream_fails_the_test():
    async def app(scope, receive, send):
        await send(START)
        await send(part(b"a"))
        raise LookupError("inside")

    with pytest.raises(LookupError, match="inside"):
        async with ASGIDriver(app).stream("GET", "/") as stream:
            assert [chunk async for chunk in stream] == [b"a"]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ([], "returned without http.response.start"),
        ([START], "without completing its answer"),
        ([part(b"x")], "a body before http.response.start"),
        ([START, START], "http.response.start twice"),
        ([START, part(b"", more=False), part(b"")], "after the answer was complete"),
        ([START, {"type": "websocket.send"}], "'websocket.send' in an HTTP answer"),
    ],
)
async def test_a_broken_order_is_the_apps_fault(sent, problem):
    async def app(scope, receive, send):
        for message in sent:
            await send(message)

    with pytest.raises(AppMisbehaved, match=problem):
        await ASGIDriver(app).request("GET", "/")


async def test_an_app_that_never_answers_is_given_up():
    async def app(scope, receive, send):
        await anyio.sleep_forever()

    driver = ASGIDriver(app, patience_s=0.01)
    with pytest.raises(AppMisbehaved, match="not answered within"):
        await driver.request("GET", "/")
    with pytest.raises(AppMisbehaved, match="no answer began within"):
        async with driver.stream("GET", "/"):
            pass


async def test_expect_shows_the_answer():
    answer = await ASGIDriver(echo).request("POST", "/", body=b"why")
    assert answer.expect(200, x_name="v") is answer
    with pytest.raises(AppMisbehaved, match="status is 200, not 404: why"):
        answer.expect(404)
    with pytest.raises(AppMisbehaved, match="header 'x_name' is 'v', not 'w'"):
        answer.expect(200, x_name="w")


class Living:
    """An app with a lifespan."""

    def __init__(self, says="lifespan.startup.complete", fails=None):
        self.says = says
        self.fails = fails
        self.events = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            self.events.append(scope["state"])
            await echo(scope, receive, send)
            return
        assert (await receive())["type"] == "lifespan.startup"
        if self.fails:
            raise self.fails
        scope["state"]["db"] = 1
        await send({"type": self.says, "message": "no store"})
        self.events.append((await receive())["type"])
        await send({"type": "lifespan.shutdown.complete"})


async def test_the_lifespan_surrounds_the_requests():
    app = Living()
    async with ASGIDriver(app) as driver:
        await driver.request("GET", "/")
    assert app.events == [{"db": 1}, "lifespan.shutdown"]


async def test_a_failed_start_says_why():
    with pytest.raises(AppMisbehaved, match=r"lifespan\.startup\.failed: no store"):
        async with ASGIDriver(Living("lifespan.startup.failed")):
            pass


async def test_an_app_that_raises_in_its_lifespan_is_shown():
    with pytest.raises(ExceptionGroup) as caught:
        async with ASGIDriver(Living(fails=LookupError("no store"))):
            pass
    assert caught.group_contains(LookupError, match="no store")


async def test_a_test_that_fails_inside_a_lifespan_fails_as_itself():
    with pytest.raises(ZeroDivisionError):
        async with ASGIDriver(Living()):
            1 / 0  # noqa: B018
