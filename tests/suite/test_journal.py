import pytest

from suite.journal import JOURNAL_FILE, Journal, JournalError


def test_records_come_back_in_order(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append({"record": "size", "trace": "a"})
        journal.append({"record": "size", "trace": "b"})
        assert [r["trace"] for r in journal.records()] == ["a", "b"]
    with Journal(tmp_path) as journal:
        journal.append({"record": "size", "trace": "c"})
        assert [r["trace"] for r in journal.records()] == ["a", "b", "c"]


def test_a_line_cut_short_by_a_kill_is_dropped_and_the_next_one_is_whole(tmp_path):
    with Journal(tmp_path) as journal:
        journal.append({"trace": "a"})
        journal.append({"trace": "b"})
    path = tmp_path / JOURNAL_FILE
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(tmp_path) as journal:
            kept = [r["trace"] for r in journal.records()]
            assert kept == ["a", "b"][: whole[:cut].count(b"\n")]
            journal.append({"trace": "c"})
            assert [r["trace"] for r in journal.records()] == [*kept, "c"]


def test_two_runs_never_write_into_one_folder(tmp_path):
    with Journal(tmp_path), pytest.raises(JournalError, match="another run"), Journal(tmp_path):
        pass


def test_a_damaged_journal_is_named_with_its_line(tmp_path):
    (tmp_path / JOURNAL_FILE).write_text('{"trace": "a"}\nnonsense\n')
    with Journal(tmp_path) as journal, pytest.raises(JournalError, match=r"journal.jsonl:2 is damaged"):
        list(journal.records())
