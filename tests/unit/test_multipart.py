"""Forms with files: what is found in them, what is changed, and what is refused."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.dialects.multipart import FormField, form_type, is_form, read_form
from flo2.errors import InvalidRequest

BODY = (
    b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm-1\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFF\r\n\r\n--bnot\x00\xff\r\n--b--\r\nepilogue"
).replace(b"--bnot", b"--not")


def part(head: bytes, value: bytes = b"v") -> bytes:
    return b"--b\r\n%b\r\n\r\n%b\r\n--b--\r\n" % (head, value)


def test_fields_are_found_and_files_stay_where_they_are():
    form = read_form(BODY)
    model, file = form.fields
    assert (form.boundary, form_type(BODY)) == (b"b", "multipart/form-data; boundary=b")
    assert form_type(b"--a b\r\n") == 'multipart/form-data; boundary="a b"'
    assert model == FormField("model", is_file=False, start=model.start, end=model.end)
    assert (file.name, file.is_file) == ("file", True)
    assert BODY[model.start : model.end] == b"m-1"
    assert BODY[file.start : file.end] == b"RIFF\r\n\r\n--not\x00\xff"
    assert (form.text("model"), form.text("other")) == ("m-1", None)
    assert is_form(BODY)
    assert not is_form(b'{"model":"--"}')


def test_a_value_is_replaced_and_every_other_byte_stays():
    form = read_form(BODY)
    assert form.replaced("model", "another/model") == BODY.replace(b"m-1", b"another/model")
    assert form.replaced("model", "m-1") is BODY
    added = read_form(form.replaced("stream", "true"))
    assert added.text("stream") == "true"
    assert added.body.endswith(BODY)
    assert added.fields[1:] == tuple(
        FormField(
            f.name,
            f.is_file,
            f.start + len(added.body) - len(BODY),
            f.end + len(added.body) - len(BODY),
        )
        for f in form.fields
    )


@pytest.mark.parametrize(
    ("head", "name", "is_file"),
    [
        (b"Content-Type: text/plain\r\nContent-Disposition: form-data; name=model", "model", False),
        (
            b"Content-Disposition: form-data; name=file; filename=a.wav; filename*=utf-8''a.wav",
            "file",
            True,
        ),
        (
            b'Content-Disposition: form-data; name="include[]"\r\nContent-Length: 1',
            "include[]",
            False,
        ),
        (b'Content-Disposition: form-data; name="file"; filename="a\\"b.wav"', "file", True),
    ],
)
def test_headers_are_written_in_several_ways(head, name, is_file):
    (field,) = read_form(part(head)).fields
    assert (field.name, field.is_file) == (name, is_file)


def test_a_form_that_is_known_is_read_up_to_a_field():
    assert [field.name for field in read_form(BODY, until="model").fields] == ["model"]
    assert read_form(BODY, until="other") == read_form(BODY)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "it does not begin with a boundary"),
        (b"--b\n", "it does not begin with a boundary"),
        (b"preamble\r\n" + BODY, "it does not begin with a boundary"),
        (b"--b\r\nno headers at all", "part 0 has headers that cannot be read"),
        (part(b'Content-Disposition: form-data; name="a"\r\n folded'), "part 0 has headers"),
        (part(b"Content-Type: text/plain"), "part 0 does not say its name as form-data does"),
        (part(b'Content-Disposition: form-data; name="mo\\del"'), "part 0 does not say its name"),
        (part(b"Content-Disposition: form-data; name=mo del"), "part 0 does not say its name"),
        (part(b'Content-Disposition: form-data; filename="model"'), "part 0 does not say its name"),
        (
            part(
                b'Content-Disposition: form-data; name="a"\r\n'
                b'Content-Disposition: form-data; name="model"'
            ),
            "part 0 does not say its name",
        ),
        (
            part(
                b'Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: base64'
            ),
            "part 0 is in another encoding",
        ),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nv', "part 0 has no end"),
        (
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--bc--\r\n',
            "part 0 ends with a boundary that goes on",
        ),
        (
            b"".join(
                b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' for _ in range(1001)
            )
            + b"--b--",
            "it has more than 1000 parts",
        ),
    ],
)
def test_what_two_servers_could_read_differently_is_refused(body, reason):
    with pytest.raises(InvalidRequest, match=reason) as caught:
        read_form(body)
    assert caught.value.code == "invalid_multipart"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (['form-data; name="model"'] * 2, "there 2 times"),
        (['form-data; name="model"; filename="x"'], "is a file"),
    ],
)
def test_a_field_that_is_there_twice_or_as_a_file_is_refused(fields, reason):
    body = b"".join(b"--b\r\nContent-Disposition: %b\r\n\r\nm\r\n" % f.encode() for f in fields)
    form = read_form(body + b"--b--\r\n")
    for act in (lambda: form.text("model"), lambda: form.replaced("model", "n")):
        with pytest.raises(InvalidRequest, match=reason) as caught:
            act()
        assert caught.value.param == "model"


def test_text_is_utf_8():
    form = read_form(part(b'Content-Disposition: form-data; name="model"', b"\xff"))
    with pytest.raises(InvalidRequest, match="not UTF-8"):
        form.text("model")


@given(
    st.dictionaries(
        st.text(
            st.characters(codec="utf-8", exclude_characters='"\\\r\n\x00'), min_size=1, max_size=8
        ),
        st.text(st.characters(codec="utf-8"), max_size=20),
        min_size=1,
        max_size=4,
    ),
    st.binary(max_size=200),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=8),
)
def test_what_an_http_library_makes_is_read(fields, data, filename):
    request = httpx2.Request(
        "POST", "http://test", data=fields, files={"file": (filename, data, "audio/wav")}
    )
    body = request.read()
    form = read_form(body)
    assert (
        request.headers["content-type"].split("boundary=")[1].strip('"') == form.boundary.decode()
    )
    read = {f.name: body[f.start : f.end] for f in form.fields if not f.is_file}
    assert list(read.values()) == [value.encode() for value in fields.values()]
    assert [body[f.start : f.end] for f in form.fields if f.is_file] == [data]
