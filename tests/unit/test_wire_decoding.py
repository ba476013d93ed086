"""Decoding, cut anywhere."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flo2.errors import ReadFailed
from flo2.wire.decoding import Decoder, decoder_for


def pieces(data, cuts):
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


ENCODINGS = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
}


@given(
    coding=st.sampled_from(sorted(ENCODINGS)),
    body=st.binary(max_size=2000),
    cuts=st.lists(st.integers(0, 5000), max_size=6),
)
def test_any_cut_gives_the_same_body(coding, body, cuts):
    decoder = Decoder(coding)
    parts = [
        part for piece in pieces(ENCODINGS[coding](body), cuts) for part in decoder.feed(piece)
    ]
    decoder.finish()
    assert b"".join(parts) == body
    assert b"" not in parts


@given(body=st.binary(min_size=1, max_size=500), missing=st.integers(1, 8))
def test_cut_off_gzip_never_looks_whole(body, missing):
    decoder = Decoder("gzip")
    list(decoder.feed(gzip.compress(body)[:-missing]))
    with pytest.raises(ReadFailed, match="cut off"):
        decoder.finish()


def test_pieces_are_bounded_however_far_they_inflate():
    decoder = Decoder("gzip")
    parts = list(decoder.feed(gzip.compress(bytes(3_000_001))))
    decoder.finish()
    assert sum(map(len, parts)) == 3_000_001
    assert max(map(len, parts)) == 256 * 1024


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_identity_needs_no_decoder(coding):
    assert decoder_for(coding) is None


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_codings_are_refused_by_name(coding):
    with pytest.raises(ReadFailed, match=coding):
        decoder_for(coding)
