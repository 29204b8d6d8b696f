"""Addresses are told without what could give access."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redzone.errors import ErrorCode, FetchFault
from redzone.net.urls import SHOWN_LENGTH, parse_address, redirect_target, shorten_url, url_scheme


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (
            "https://b.example/a.jpg?X-Amz-Signature=0123456789abcdef&X-Amz-Expires=60&w=500",
            "https://b.example/a.jpg?X-Amz-Signature=...&X-Amz-Expires=...&w=500",
        ),
        ("https://b.example/a.jpg?sv=2024&sig=ab%2Bc", "https://b.example/a.jpg?sv=2024&sig=..."),
        ("https://user:pa@ss@b.example:8443/a.jpg", "https://b.example:8443/a.jpg"),
        ("http://user:pa/ss@b.example/a.jpg", "http://b.example/a.jpg"),
        ("https://b.example/@someone/a.jpg#part", "https://b.example/@someone/a.jpg"),
        ("https://b.example/a?%74oken=x", "https://b.example/a?%74oken=..."),
        ("https://b.example/a?id=0123456789abcdefg", "https://b.example/a?id=..."),
        ("data:image/png;base64,AAAA", "data:..."),
        ("ftp://user:pass@b.example/a", "ftp:..."),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("/posters/a\x1b[31m b.jpg", "/posters/a[31m b.jpg"),
    ],
)
def test_a_shown_address_keeps_the_place_and_loses_the_secret(url: str, shown: str) -> None:
    """Host and path stay; passwords, signatures, tokens, long values and fragments go."""
    assert shorten_url(url) == shown


# base64 has its `=` at the end only
secrets = st.builds(
    lambda text, padding: "S3cr" + text + padding,
    st.text(st.sampled_from("abcdefghijkLMNOP0123456789+/%.-_~"), min_size=20, max_size=60),
    st.sampled_from(["", "=", "=="]),
)


@given(
    secrets,
    st.sampled_from(
        [
            "https://h.example/p.jpg?X-Amz-Signature={}",
            "https://h.example/p.jpg?anything={}&w=1",
            "https://h.example/p.jpg?{}",
            "https://user:{}@h.example/p.jpg",
            "http://{}@h.example/p.jpg?w=1",
            "https://h.example/p.jpg#{}",
            "HTTPS://h.example/p.jpg?a=1;token={}",
        ]
    ),
)
def test_no_secret_survives_shortening(secret: str, template: str) -> None:
    """Wherever an address may carry a credential, no part of it is shown."""
    carried = quote(secret, safe="") if "@" in template else secret
    assert "S3cr" not in shorten_url(template.format(carried))


@given(
    st.text()
    | st.text().map(lambda text: "http://" + text)
    | st.text().map(lambda text: "https://h/?" + text)
)
def test_any_text_can_be_shown(reference: str) -> None:
    """The result is printable, bounded, whatever was put in."""
    shown = shorten_url(reference)
    assert shown.isprintable()
    assert len(shown) <= SHOWN_LENGTH


@pytest.mark.parametrize(
    ("reference", "scheme"),
    [
        ("HTTP://h/", "http"),
        ("http:h", "http"),
        ("file:/etc/passwd", "file"),
        ("gopher://h", "gopher"),
        ("/a/b.jpg", ""),
        ("C:\\posters\\a.jpg", ""),
        ("Alien: Romulus.jpg", ""),
        ("a.jpg", ""),
    ],
)
def test_a_path_is_told_from_an_address(reference: str, scheme: str) -> None:
    """A drive letter and a title with a colon are paths."""
    assert url_scheme(reference) == scheme


@given(st.text() | st.text().map(lambda text: "http://" + text))
def test_any_text_is_an_address_or_a_fault(text: str) -> None:
    """Whatever stands in the column or in a Location header, nothing but a FetchFault comes out."""
    base = parse_address("http://h.example/a")
    for read in (parse_address, partial(redirect_target, base)):
        try:
            url = read(text)
        except FetchFault:
            continue
        assert url.scheme in {"http", "https"}
        assert url.host


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://h/x", "data:,x", "javascript:alert(1)"])
def test_a_redirect_to_another_scheme_is_blocked(location: str) -> None:
    """Only http and https are followed."""
    with pytest.raises(FetchFault) as caught:
        redirect_target(parse_address("http://h.example/"), location)
    assert caught.value.code is ErrorCode.FETCH_BLOCKED
