from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.dialects.splice import reshape, splice
from flo2.errors import InvalidRequest


@pytest.mark.parametrize(
    ("body", "spliced"),
    [
        (b'{"model":"a","x":1}', b'{"model":"b","x":1}'),
        (b' {\n "x" : 1 ,\t"model" :\r\n"a" } ', b' {\n "x" : 1 ,\t"model" :\r\n"b" } '),
        (b'{"x":{"model":"n"},"model":"a"}', b'{"x":{"model":"n"},"model":"b"}'),
        (
            b'{"model":"a","x":"say \\"model\\":\\"a\\""}',
            b'{"model":"b","x":"say \\"model\\":\\"a\\""}',
        ),
        (b'{"x":"\\"model","model":"a"}', b'{"x":"\\"model","model":"b"}'),
        (b'{"x":"model","model":"a"}', b'{"x":"model","model":"b"}'),
        (b'{"model":"a","model":"a"}', b'{"model":"b","model":"b"}'),
        (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"b"}'),
        (b'{"mod\\u0065l":"a","x":{"model":"a"}}', b'{"mod\\u0065l":"b","x":{"model":"a"}}'),
        (b'{"\\u006dodel":"a","x":{"model":"a"}}', b'{"\\u006dodel":"b","x":{"model":"a"}}'),
        (b'{"model":"\\u0061","x":"\\u00e9"}', b'{"model":"b","x":"\\u00e9"}'),
        ('{"é":"🎈","model":"a"}'.encode(), '{"é":"🎈","model":"b"}'.encode()),
        (
            b'{"x":1e400,"y":1.10,"model":"a","model":"a"}',
            b'{"x":1e400,"y":1.10,"model":"b","model":"b"}',
        ),
    ],
)
def test_only_the_top_level_model_changes(body, spliced):
    assert splice(body, old="a", new="b") == spliced


def test_the_new_name_is_escaped():
    assert splice(b'{"model":"a"}', old="a", new='b"\\é') == '{"model":"b\\"\\\\é"}'.encode()


@pytest.mark.parametrize(
    ("body", "spliced"),
    [
        (
            b'{"model":"a","stream":true}',
            b'{"model":"b","stream_options":{"include_usage":true},"stream":true}',
        ),
        (
            b'{"model":"a","stream_options":{}}',
            b'{"model":"b","stream_options":{"include_usage":true}}',
        ),
        (
            b'{"stream_options":null,"model":"a"}',
            b'{"stream_options":{"include_usage":true},"model":"b"}',
        ),
        (
            b'{"model":"a","stream_options":{ "include_usage" : false, "x":1}}',
            b'{"model":"b","stream_options":{ "include_usage" : true, "x":1}}',
        ),
        (
            b'{"model":"a","stream_options":{ "x":1}}',
            b'{"model":"b","stream_options":{"include_usage":true, "x":1}}',
        ),
        (
            b'{"model":"a","stream_options":{"include_usage":1,"include_usage":false}}',
            b'{"model":"b","stream_options":{"include_usage":true,"include_usage":true}}',
        ),
        (
            b'{"model":"a","x":"stream_options"}',
            b'{"model":"b","stream_options":{"include_usage":true},"x":"stream_options"}',
        ),
    ],
)
def test_usage_is_asked_for(body, spliced):
    assert splice(body, old="a", new="b", ask_usage=True) == spliced


def test_nothing_to_change_gives_the_same_object():
    body = b'{"model":"a"}'
    assert splice(body, old="a", new="a") is body


@pytest.mark.parametrize("body", [b"", b"[]", b'{"model"', b'{"model":"a","model":', b"\xff"])
def test_what_cannot_be_walked_is_an_invalid_request(body):
    with pytest.raises(InvalidRequest, match="no JSON object"):
        splice(body, old="a", new="b")


_KEYS = st.sampled_from(["model", "stream_options", "x", "é", 'a"model"', "include_usage", "\\"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | _KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.sampled_from(["a", "gpt", 'q"\\', "é🎈", "model"])


@given(
    others=st.dictionaries(_KEYS, _JSON, max_size=4),
    options=st.none() | st.dictionaries(st.sampled_from(["include_usage", "x"]), _JSON),
    names=st.tuples(_NAMES, _NAMES),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    ask=st.booleans(),
)
def test_law_only_the_named_values_change(others, options, names, ascii_only, indent, ask):
    old, new = names
    value = {**others, "model": old, "stream_options": options}
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    expected = {**value, "model": new}
    if ask:
        expected["stream_options"] = {**(options or {}), "include_usage": True}
    assert json.loads(splice(body, old=old, new=new, ask_usage=ask)) == expected


@given(
    others=st.dictionaries(_KEYS.filter(lambda k: k != "model"), _JSON, max_size=4),
    names=st.tuples(_NAMES, _NAMES),
)
def test_law_bytes_before_and_after_the_model_stay(others, names):
    old, new = names
    head = json.dumps(others)[:-1] + (", " if others else "") + '"model": '
    tail = ', "z": "model"}'
    body = (head + json.dumps(old) + tail).encode()
    spliced = splice(body, old=old, new=new)
    assert spliced.startswith(head.encode())
    assert spliced.endswith(tail.encode())


@pytest.mark.parametrize("first", [b'"model"', b'"mod\\u0065l"', b'"\\u006dodel"'])
def test_a_second_model_is_not_passed_on_though_nothing_else_changes(first):
    """The last one was checked; a host that follows the first one must find the same there."""
    body = b"{" + first + b':"dear","x":1,"model":"cheap"}'
    spliced = splice(body, old="cheap", new="cheap")
    assert spliced == body.replace(b'"dear"', b'"cheap"')


def test_a_body_that_needs_no_change_and_holds_one_model_stays_the_same_object():
    body = b'{"model":"m","x":"model \\u00e4"}'
    assert splice(body, old="m", new="m") is body


@pytest.mark.parametrize(
    ("body", "reshaped"),
    [
        (b'{"model":"a","x":1,"stream":true}', b'{"v":"1","x":1}'),
        (b' {\n "x" : 1.10 ,\t"model" :\r\n"a" } ', b' {"v":"1","x" : 1.10}'),
        (b'{"model":"a"}', b'{"v":"1"}'),
        (b"{}", b'{"v":"1"}'),
        (b'{"mod\\u0065l":"a","x":{"model":"n"}}', b'{"v":"1","x":{"model":"n"}}'),
        (b'{"v":"theirs","x":[1,2]}', b'{"v":"1","x":[1,2]}'),
        (b'{"model":"a","model":"b","x":"}"}', b'{"v":"1","x":"}"}'),
        ('{"é":"🎈","model":"a"}'.encode(), '{"v":"1","é":"🎈"}'.encode()),
    ],
)
def test_named_fields_are_left_out_and_put(body, reshaped):
    assert reshape(body, drop={"model", "stream"}, put={"v": "1"}) == reshaped


def test_what_is_no_object_is_not_reshaped():
    for body in (b"[1]", b"\xff", b'{"a"'):
        with pytest.raises(InvalidRequest, match="no JSON object"):
            reshape(body, drop=(), put={})
