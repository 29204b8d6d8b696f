"""One proxy rule and one trust store for the model and for images."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path

import httpx2
import pytest

from redzone.errors import ErrorCode, FetchFault, ModelAddressUnusable, ModelFault, Retry, SettingsInvalid
from redzone.net import Fetched, Fetcher, FetchOptions
from redzone.net.ssrf_guard import GuardedBackend
from redzone.outbound import SpreadTransport, check_environment, parse_proxy, pool_limits, proxy_for
from tests.loopback import Answer, Loopback, Request, drip, reply
from tests.net.test_fetcher import IMAGE, SEEDED, HastyClock, fetcher
from tests.proxy_server import ProxyServer
from tests.vision.openai.test_client import ONE_ZONE, asking, fault_of, question, said

CERTIFICATE = Path(__file__).with_name("posters.test.pem")  # self-made, for posters.test, with its key
ANSWER = said(ONE_ZONE)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "http://a.example/", None),
        ({"http_proxy": "proxy:3128"}, "http://a.example/", "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "http://a.example/", "http://proxy:3128"),
        ({"http_proxy": "low:1", "HTTP_PROXY": "high:1"}, "http://a.example/", "http://low:1"),
        ({"http_proxy": "proxy:3128"}, "https://a.example/", None),
        ({"ALL_PROXY": "socks5://proxy:1080"}, "https://a.example/", "socks5://proxy:1080"),
        ({"all_proxy": "other:1", "https_proxy": "proxy:1"}, "https://a.example/", "http://proxy:1"),
        ({"all_proxy": "p:1", "no_proxy": "b.example, a.example"}, "http://a.example/", None),
        ({"all_proxy": "p:1", "NO_PROXY": ".example"}, "http://a.example/", None),
        ({"all_proxy": "p:1", "no_proxy": "*.example"}, "http://a.example/", None),
        ({"all_proxy": "p:1", "no_proxy": "*"}, "http://a.example/", None),
        ({"all_proxy": "p:1", "no_proxy": "a.example:8080"}, "http://a.example/", "http://p:1"),
        ({"all_proxy": "p:1", "no_proxy": "a.example:80"}, "http://a.example/", None),
        ({"all_proxy": "p:1", "no_proxy": "10.0.0.0/8"}, "http://10.1.2.3/", None),
        ({"all_proxy": "p:1", "no_proxy": "10.0.0.0/8"}, "http://11.1.2.3/", "http://p:1"),
        ({"all_proxy": "p:1", "no_proxy": "ample"}, "http://a.example/", "http://p:1"),
    ],
)
def test_the_environment_decides_about_the_proxy(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_for(httpx2.URL(url))
    assert (found and str(found.url)) == proxy


@pytest.mark.parametrize(
    "value",
    ["ftp://proxy:1", "http://[::1", "http://", "http://proxy:99999", " http://proxy:1", '"http://proxy:1"'],
)
def test_a_proxy_that_cannot_work_is_a_usage_error_with_its_variable(value: str) -> None:
    for name in ("HTTPS_PROXY", "all_proxy"):
        with pytest.raises(SettingsInvalid, match=f"^{name}: "):
            check_environment({name: value})


def test_no_password_is_shown() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        parse_proxy("HTTP_PROXY", "http://user:secret@proxy:99999")
    assert "secret" not in str(caught.value)


def test_a_missing_or_empty_certificate_file_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for file in ("none.pem", "empty.pem"):
        with pytest.raises(SettingsInvalid, match=r"^SSL_CERT_FILE: "):
            check_environment({"SSL_CERT_FILE": str(tmp_path / file)})
    with pytest.raises(SettingsInvalid, match=r"^SSL_CERT_DIR: "):
        check_environment({"SSL_CERT_DIR": str(tmp_path / "none")})
    check_environment({"SSL_CERT_FILE": str(CERTIFICATE), "http_proxy": "user:password@proxy:1"})


async def test_images_and_the_model_go_through_the_proxy_with_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hosts that only the proxy can resolve; without the password both say so and neither goes on."""
    async with (
        Loopback({"/p.jpg": reply(body=IMAGE), "/v1/responses": reply(body=ANSWER)}) as server,
        ProxyServer(server.port, "user:pass") as proxy,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"user:pass@127.0.0.1:{proxy.port}")
        async with fetcher() as fetch, asking("http://api.corp.test/v1") as model:
            assert isinstance(await fetch.fetch("http://cdn.corp.test/p.jpg"), Fetched)
            assert isinstance((await model.ask(question())).result, tuple)
        assert proxy.seen == [
            "GET http://cdn.corp.test/p.jpg HTTP/1.1",
            "POST http://api.corp.test/v1/responses HTTP/1.1",
        ]
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        async with fetcher() as fetch, asking("http://api.corp.test/v1") as model:
            with pytest.raises(FetchFault, match="407"):
                await fetch.fetch("http://cdn.corp.test/p.jpg")
            with pytest.raises(ModelAddressUnusable, match="HTTP_PROXY"):
                await model.ask(question())


async def test_the_guard_checks_a_name_before_the_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inside address, and a name that only the proxy may know, never reach the proxy."""
    async with ProxyServer(9) as proxy, Fetcher(FetchOptions(retries=0), HastyClock(), SEEDED) as fetch:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(FetchFault) as blocked:
            await fetch.fetch("http://127.0.0.1/secret")
        with pytest.raises(FetchFault, match=r"through the proxy 127\.0\.0\.1.*--allow-private-hosts"):
            await fetch.fetch("http://cdn.corp.invalid/p.jpg")
    assert blocked.value.code is ErrorCode.FETCH_BLOCKED
    assert proxy.seen == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_of_the_model_api_is_followed_on_its_host(status: int) -> None:
    """With the same method and body; a permanent one is remembered."""
    async with Loopback() as server:
        server.routes["/v1/responses"] = reply(status, location="/moved/responses")
        server.routes["/moved/responses"] = reply(body=ANSWER)
        async with asking(server.url("/v1")) as model:
            for _ in range(2):
                assert isinstance((await model.ask(question())).result, tuple)
    assert len(server.requests) == (3 if status in (301, 308) else 4)


async def test_a_redirect_to_another_host_stops_and_names_it() -> None:
    """The key is not sent there."""
    async with Loopback() as server:
        server.routes["/v1/responses"] = reply(308, location=server.url("/v2/responses", host="localhost"))
        async with asking(server.url("/v1")) as model:
            with pytest.raises(ModelAddressUnusable, match=rf"--base-url http://localhost:{server.port}/v2$"):
                await model.ask(question())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        reply(201, ANSWER),
        reply(203, ANSWER),
        reply(200, gzip.compress(ANSWER), content_encoding="gzip"),
    ],
)
async def test_any_2xx_and_gzip_are_answers(answer: Answer) -> None:
    async with Loopback({"/v1/responses": answer}) as server, asking(server.url("/v1")) as model:
        assert isinstance((await model.ask(question())).result, tuple)


async def test_the_api_version_of_the_base_url_is_in_every_request() -> None:
    async with (
        Loopback({"/openai/v1/responses": reply(body=ANSWER)}) as server,
        asking(server.url("/openai/v1?api-version=2026-01-01")) as model,
    ):
        assert isinstance((await model.ask(question())).result, tuple)
    assert server.requests[0].target == "/openai/v1/responses?api-version=2026-01-01"


async def test_the_timeout_bounds_the_whole_request() -> None:
    """A server that sends a byte now and then never trips a phase's timeout."""
    async with (
        Loopback({"/v1/responses": drip(0.01)}) as server,
        asyncio.timeout(5),
        asking(server.url("/v1"), timeout_s=0.3) as model,
    ):
        fault = fault_of(await model.ask(question()))
    assert (fault.code, fault.retry) == (ErrorCode.MODEL_TIMEOUT, Retry.TRANSIENT)
    assert fault.may_be_charged


async def test_a_certificate_that_is_not_trusted_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt each; with SSL_CERT_FILE both the model and images take it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    handshakes = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshakes.append(1)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        body = IMAGE if head.startswith(b"GET") else ANSWER
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        async with ProxyServer(port) as proxy:
            monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
            async with fetcher() as fetch, asking("https://posters.test/v1", timeout_s=30.0) as model:
                with pytest.raises(FetchFault, match="certificate") as caught:
                    await fetch.fetch("https://posters.test/p.jpg")
                assert caught.value.retry is Retry.NO
                with pytest.raises(ModelAddressUnusable, match="SSL_CERT_FILE"):
                    await model.ask(question())
            assert len(proxy.seen) == 2
            monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
            async with fetcher() as fetch, asking("https://posters.test/v1", timeout_s=30.0) as model:
                assert isinstance(await fetch.fetch("https://posters.test/p.jpg"), Fetched)
                assert isinstance((await model.ask(question())).result, tuple)


async def test_a_black_holed_address_costs_a_moment() -> None:
    """The first address never answers: the second one is tried while the first is still waited for."""
    async with Loopback() as server:

        async def resolve(host: str, port: int) -> list[str]:
            return ["203.0.113.1", "127.0.0.1"]

        guard = GuardedBackend(resolve, lambda _: True, stagger_s=0.01)
        connect = guard._network.connect_tcp

        class BlackHole:
            async def connect_tcp(self, host: str, *rest: object) -> object:
                if host != "127.0.0.1":
                    await asyncio.Event().wait()
                return await connect(host, *rest)  # type: ignore[arg-type]

        guard._network = BlackHole()  # type: ignore[assignment]
        stream = await guard.connect_tcp("posters.example", server.port, timeout=5)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        await stream.aclose()


async def test_requests_spread_over_small_pools_and_are_counted_to_their_end() -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await reply(body=request.target.encode())(request, writer)

    limits = pool_limits(40, 20)
    assert [each.max_connections for each in limits] == [14, 13, 13]
    assert sum(each.max_keepalive_connections or 0 for each in limits) == 20
    transport = SpreadTransport([httpx2.AsyncHTTPTransport(limits=each) for each in limits])
    async with Loopback({"/p": answer}) as server, httpx2.AsyncClient(transport=transport) as client:
        found = await asyncio.gather(*(client.get(server.url(f"/p?{n}")) for n in range(40)))
        assert [response.text for response in found] == [f"/p?{n}" for n in range(40)]
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://127.0.0.1:1/")
    assert transport._in_flight == [0, 0, 0]


def test_a_model_fault_is_not_final_where_a_retry_may_help() -> None:
    """A refused connection is worth another try, unlike a certificate."""

    async def scenario() -> ModelFault:
        async with asking("http://127.0.0.1:1/v1") as model:
            return fault_of(await model.ask(question()))

    fault = asyncio.run(scenario())
    assert (fault.code, fault.retry, fault.may_be_charged) == (
        ErrorCode.MODEL_UNAVAILABLE,
        Retry.TRANSIENT,
        False,
    )
