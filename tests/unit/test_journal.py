from __future__ import annotations

import multiprocessing
import os
import resource

import pytest

from flo2.errors import StoreError
from flo2.ledger import Journal, new_writer_id
from flo2.ledger.frames import read_segment
from flo2.records import Attribution
from flo2.testing.records import an_exchange, an_intent, pend_of, settle_of, void_of

INTENT = an_intent(1, attribution=Attribution("red", "chat", "acme", "u1", {"env": "dev"}))
RECORDS = [INTENT, settle_of(INTENT), pend_of(INTENT), void_of(INTENT), an_exchange(1)]


@pytest.fixture
def open_journal(tmp_path):
    opened = []

    def open_(writer="w1", **options):
        journal = Journal(tmp_path / "journal", writer, **options)
        opened.append(journal)
        return journal

    yield open_
    for journal in opened:
        journal.close()


def only_file(journal):
    (path,) = journal.directory.glob("*.journal")
    return path


def numbered(records, first=1):
    return list(enumerate(records, first))


def test_records_come_back_with_their_numbers(open_journal):
    journal = open_journal()
    assert journal.append(*RECORDS[:3]) == range(1, 4)
    assert journal.append(RECORDS[3]) == range(4, 5)
    assert journal.append(RECORDS[4]) == range(5, 6)
    assert journal.read(0, 100) == numbered(RECORDS)
    assert journal.read(1, 2) == numbered(RECORDS[1:3], 2)
    assert journal.read(5, 100) == []


def test_a_journal_is_continued_where_it_ended(open_journal):
    first = open_journal()
    first.append(*RECORDS[:2])
    first.close()
    again = open_journal()
    assert (again.last_seq, again.salt, again.damage) == (2, first.salt, ())
    assert again.append(RECORDS[2]) == range(3, 4)
    assert again.read(0, 100) == numbered(RECORDS[:3])


def test_the_folder_and_its_files_are_private(open_journal):
    journal = open_journal()
    assert journal.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in journal.directory.iterdir()} == {0o600}


def test_one_writer_cannot_be_open_twice(open_journal):
    open_journal("w1")
    with pytest.raises(StoreError, match="'w1' is open in another process"):
        open_journal("w1")
    open_journal("w2")


def hold(directory, ready, release):
    journal = Journal(directory, "w1")
    ready.set()
    release.wait(30)
    journal.close()


def test_one_writer_cannot_be_open_in_two_processes(tmp_path, open_journal):
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path / "journal", ready, release))
    process.start()
    try:
        assert ready.wait(30)
        with pytest.raises(StoreError, match="another process"):
            open_journal("w1")
    finally:
        release.set()
        process.join(30)
    assert open_journal("w1").last_seq == 0


@pytest.mark.parametrize("writer", ["", "../w", "a b", "w.1", "x" * 65])
def test_a_writer_id_is_a_plain_word(open_journal, writer):
    with pytest.raises(ValueError, match="writer id"):
        open_journal(writer)


def test_writer_ids_are_plain_and_never_the_same(open_journal):
    assert open_journal(new_writer_id()).writer != open_journal(new_writer_id()).writer


def test_a_torn_write_at_any_byte_leaves_what_was_whole(tmp_path, open_journal):
    journal = open_journal()
    journal.append(RECORDS[0])
    whole = only_file(journal).stat().st_size
    journal.append(RECORDS[1])
    journal.close()
    path = only_file(journal)
    data = path.read_bytes()
    for size in range(whole + 1, len(data)):
        torn = tmp_path / "torn.journal"
        torn.write_bytes(data[:size])
        segment = read_segment(torn)
        assert segment.records == ((1, RECORDS[0]),)
        assert segment.damage is not None
        assert (segment.damage.cause, segment.damage.offset, segment.damage.lost) == (
            "torn",
            whole,
            size - whole,
        )


def test_a_flipped_bit_anywhere_is_found(tmp_path, open_journal):
    journal = open_journal()
    journal.append(RECORDS[0])
    begin = only_file(journal).stat().st_size
    journal.append(RECORDS[1])
    data = bytearray(only_file(journal).read_bytes())
    damaged = tmp_path / "damaged.journal"
    for place in range(begin, len(data)):
        data[place] ^= 0x10
        damaged.write_bytes(data)
        segment = read_segment(damaged)
        assert segment.records == ((1, RECORDS[0]),), place
        assert segment.damage is not None
        data[place] ^= 0x10


def test_a_torn_tail_is_cut_off_and_reported_when_continued(open_journal):
    journal = open_journal()
    journal.append(*RECORDS[:2])
    journal.close()
    path = only_file(journal)
    os.truncate(path, path.stat().st_size - 1)
    again = open_journal()
    (damage,) = again.damage
    assert (damage.path, damage.cause) == (path, "torn")
    assert again.last_seq == 1
    assert again.append(RECORDS[2]) == range(2, 3)
    assert again.read(0, 9) == [(1, RECORDS[0]), (2, RECORDS[2])]


def test_changed_bytes_are_kept_aside_when_continued(open_journal):
    journal = open_journal()
    journal.append(RECORDS[0])
    begin = only_file(journal).stat().st_size
    journal.append(*RECORDS[1:3])
    journal.close()
    path = only_file(journal)
    data = bytearray(path.read_bytes())
    data[begin + 20] ^= 1
    path.write_bytes(data)
    again = open_journal()
    (damage,) = again.damage
    assert (damage.cause, damage.detail) == ("corrupt", "the checksum does not match")
    assert again.read(0, 9) == [(1, RECORDS[0])]
    assert path.with_suffix(".damaged").read_bytes() == data


def test_a_file_without_a_header_is_no_journal(open_journal):
    journal = open_journal()
    journal.close()
    path = only_file(journal)
    path.write_bytes(b"\x05")
    again = open_journal()
    assert [each.cause for each in again.damage] == ["torn"]
    assert again.append(RECORDS[0]) == range(1, 2)


def test_segments_go_once_they_are_stored(open_journal):
    journal = open_journal(segment_bytes=1)
    for record in RECORDS:
        journal.append(record)
    files = sorted(journal.directory.glob("*.journal"))
    assert len(files) == 5
    assert journal.read(0, 100) == numbered(RECORDS)
    assert journal.stored(0) == []
    assert journal.stored(2) == files[:2]
    assert journal.stored(2) == []
    assert journal.stored(5) == files[2:4]  # the newest stays: it is being written
    journal.close()
    for path in files[:4]:
        path.unlink()
    again = open_journal()
    assert (again.last_seq, again.first_seq) == (5, 5)


def test_closing_with_remove_leaves_no_file(open_journal):
    journal = open_journal()
    journal.append(*RECORDS)
    journal.close(remove=True)
    assert list(journal.directory.iterdir()) == []
    with pytest.raises(StoreError, match="closed"):
        journal.append(RECORDS[0])


def test_numbering_resumes_after_what_a_store_has(open_journal):
    journal = open_journal()
    journal.resume_after(41)
    assert journal.append(RECORDS[0]) == range(42, 43)
    journal.resume_after(7)
    assert journal.append(RECORDS[1]) == range(43, 44)
    assert journal.read(41, 9) == [(42, RECORDS[0]), (43, RECORDS[1])]


@pytest.fixture
def file_limit():
    """Let files grow to a size only: the kernel then writes what fits, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 100])
def test_a_full_disk_is_an_error_and_leaves_the_journal_readable(open_journal, file_limit, room):
    journal = open_journal()
    journal.append(RECORDS[0])
    whole = only_file(journal).stat().st_size
    file_limit(whole + room)
    with pytest.raises(StoreError, match="make room on that disk"):
        journal.append(*RECORDS[1:])
    assert only_file(journal).stat().st_size == whole
    assert journal.read(0, 9) == [(1, RECORDS[0])]
    file_limit(resource.RLIM_INFINITY)
    assert journal.append(*RECORDS[1:]) == range(2, 6)
    assert journal.read(0, 9) == numbered(RECORDS)


def test_a_failing_disk_is_an_error_until_it_works_again(open_journal, monkeypatch):
    journal = open_journal()
    journal.append(RECORDS[0])
    real_write, real_truncate = os.write, os.ftruncate

    def broken_write(fd, data):
        real_write(fd, data[:7])
        raise OSError(5, "Input/output error")

    def broken_truncate(fd, size):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", broken_write)
    monkeypatch.setattr(os, "ftruncate", broken_truncate)
    with pytest.raises(StoreError, match="Input/output error"):
        journal.append(RECORDS[1])
    with pytest.raises(StoreError, match="cannot be cut off"):
        journal.append(RECORDS[1])
    assert journal.read(0, 9) == [(1, RECORDS[0])]
    monkeypatch.setattr(os, "write", real_write)
    monkeypatch.setattr(os, "ftruncate", real_truncate)
    assert journal.append(RECORDS[1]) == range(2, 3)
    assert journal.read(0, 9) == numbered(RECORDS[:2])


def test_with_fsync_a_record_is_on_the_disk(open_journal, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    journal = open_journal(fsync=True)
    journal.append(RECORDS[0])
    assert len(synced) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        Journal(tmp_path / "file" / "journal", "w1")


def test_text_that_utf8_cannot_hold_does_not_lose_a_record(open_journal):
    journal = open_journal()
    broken = an_intent(1, model_requested="a\ud800b", attribution=Attribution(end_user="\udfff"))
    journal.append(broken)
    assert journal.read(0, 1) == [
        (1, an_intent(1, model_requested="a\ufffdb", attribution=Attribution(end_user="\ufffd")))
    ]
