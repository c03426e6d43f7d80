"""Tests of checkpoints: whole or not there, data alone, and damage is found."""

import errno
import io
import json
import math
import os
import resource
import sys
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ps_helpers import checkpoint
from ps_helpers.checkpoint import CheckpointError, Keeper, newest, read, saved, write
from ps_helpers.optimizers import Adam, Momentum
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.server import Server
from ps_helpers.store import ParameterServer

VALUES = {"W": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float32(0.1)}


def new_server(rule=Asynchronous, optimizer=lambda: None, **more):
    store = ParameterServer(list(VALUES), list(VALUES.values()))
    return Server(store, rule(), optimizer(), **more)


def push_steps(server, *steps):
    """Push each step of two workers; the updates depend on nothing else."""
    for step in steps:
        for worker in (0, 1):
            rng = np.random.default_rng([worker, step])
            update = [rng.normal(size=w.shape) for w in server.store.weights.values()]
            server.push(worker, step, [np.float32(u) for u in update], None)


def assert_same(found, expected):
    """Compare types, shapes and all digits, as texts: so nan is the same as nan."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        assert repr(found) == repr(expected)


# What goes in comes out

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
arrays = hnp.arrays(st.sampled_from([np.float32, np.float64, np.int8, bool]), (2, 3))
kinds = st.recursive(
    plain | arrays | hnp.arrays(np.float32, st.sampled_from([(), (0,), (3, 0)])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(), inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(state=kinds, numbers=st.sets(st.integers()))
def test_what_is_read_is_what_was_written(state, numbers, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.npz"
    write(path, {"it": state, "set": numbers})
    found = read(path)
    assert found.pop("set") == numbers
    assert_same(found, {"it": state})


@pytest.mark.parametrize(
    ("rule", "optimizer", "version"),
    [
        (lambda: Synchronous(2), lambda: Momentum(0.1), 5),
        (lambda: StaleSynchronous(2, math.inf), lambda: Adam(1 / 3), 10),
    ],
    ids=["in rounds", "stale-synchronous"],
)
def test_a_server_goes_on_from_a_file_as_if_it_had_never_died(
    rule, optimizer, version, tmp_path
):
    servers = [new_server(rule, optimizer) for _ in range(2)]
    for server in servers:
        server.join(0), server.join(1)
        push_steps(server, 0, 1, 2)
    write(tmp_path / "server0-1.npz", servers[1].state())
    [state], damage = newest(tmp_path)
    servers[1] = new_server(rule, optimizer, state=state)
    servers[1].join(0), servers[1].join(1)
    for server in servers:
        push_steps(server, 2, 3, 4)  # 2: again
    first, second = servers
    assert second.store.version == first.store.version == version
    assert_same(second.state(), first.state())
    assert not damage and len(second.ledger.log) == 4


def test_numpy_alone_reads_it_and_it_says_what_it_holds(tmp_path):
    write(tmp_path / "a.npz", new_server(optimizer=lambda: Adam(0.1)).state())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as content:
        assert_same(content["state.weights.W"], VALUES["W"])
        assert json.loads(content["header"].tobytes())["format"] == 1


@pytest.mark.parametrize("value", [object(), len, np.float32, 1j, b"bytes"])
def test_what_is_no_data_is_refused(value, tmp_path):
    with pytest.raises(TypeError):
        write(tmp_path / "a.npz", {"rule": {"value": value}})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write(tmp_path / "a.npz", {"rule": np.array([value], dtype=object)})
    assert not list(tmp_path.iterdir())


def test_a_state_of_another_server_is_refused():
    state = new_server(lambda: Synchronous(2), lambda: Momentum(0.1)).state()
    with pytest.raises(ValueError, match="of another rule: it has .*full"):
        new_server(optimizer=lambda: Momentum(0.1), state=state)
    for other in (lambda: Adam(0.1), lambda: None):
        with pytest.raises(ValueError, match="of another optimizer: it has .*velocity"):
            new_server(lambda: Synchronous(2), other, state=state)
    state["weights"]["b"] = np.zeros((2, 3), np.float32)  # which would be broadcast
    with pytest.raises(ValueError, match="b is float32 of shape"):
        new_server(lambda: Synchronous(2), lambda: Momentum(0.1), state=state)


# What is damaged, and what lies


@pytest.fixture
def file(tmp_path):
    write(tmp_path / "server0-1.npz", new_server(optimizer=lambda: Adam(0.1)).state())
    return tmp_path / "server0-1.npz"


def test_any_changed_byte_is_found_or_changes_nothing(file):
    whole, state = file.read_bytes(), read(file)
    found = 0
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert_same(read(file), state)
        except CheckpointError as error:
            assert str(error).startswith("server0-1.npz is damaged: ")
            found += 1
    assert found > len(whole) / 2  # the others are dates and the like


def npz(compression=zipfile.ZIP_STORED, **members):
    """Return a zip of arrays' texts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as content:
        for name, data in members.items():
            content.writestr(f"{name}.npy", data)
    return file.getvalue()


def array_file(shape, dtype="<f4", data=b"\0" * 8):
    out, header = io.BytesIO(), {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue() + data


ARRAYS = {
    "an array of terabytes": array_file((10**6, 10**6)),
    "a negative size": array_file((-1, -2)),
    "a size that is not there": array_file((3,)),
    "more than it says": array_file((1,)),
    "objects": array_file((1,), "|O"),
    "texts": array_file((1,), "<U2"),
    "no array": b"text",
}
HEADERS = {
    "another format": b'{"format": 2, "state": 0}',
    "no state": b'{"format": 1}',
    "another kind": b'{"format": 1, "state": {"system": ["false"]}}',
    "a deep text": b"[" * 10**6,
}


def text(content):
    return array_file((len(content),), "|u1", content)


FINE = {"header": text(b'{"format": 1, "state": 0}')}


def lies():
    """Yield texts of files, by what is wrong with them."""
    for lie, array in ARRAYS.items():
        yield lie, npz(a=array, **FINE)
    for lie, header in HEADERS.items():
        yield lie, npz(header=text(header))
    yield "no header", npz(a=array_file((2,)))
    yield "compressed", npz(zipfile.ZIP_DEFLATED, **FINE)
    yield "a zip bomb", npz(zipfile.ZIP_DEFLATED, a=text(bytes(10**8)), **FINE)
    yield "an early end", npz(**FINE)[:-1]
    yield "a pickle", b"cos\nsystem\n(S'false'\ntR."


def test_what_lies_is_refused_before_it_takes_memory(file):
    file.write_bytes(npz(a=array_file((2,)), **FINE))
    assert read(file) == 0
    for lie, content in lies():
        file.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(CheckpointError, match=r"^server0-1.npz is damaged: "):
            read(file)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < 2e7, lie


def test_the_one_before_a_damaged_file_is_used(tmp_path):
    for version, number in {5: 1.0, 10: 2.0}.items():
        write(tmp_path / f"server0-{version}.npz", {"a": number})
    assert newest(tmp_path) == ([{"a": 2.0}], [])
    (tmp_path / "server0-10.npz").write_bytes(b"torn")
    [state], [sentence] = newest(tmp_path)
    assert state == {"a": 1.0}
    assert sentence == (
        "server0-10.npz is damaged: File is not a zip file; the one before it is used."
    )
    (tmp_path / "server0-5.npz").write_bytes(b"")
    assert newest(tmp_path)[0] == [None]


def test_several_servers_go_back_to_a_version_that_all_have(tmp_path):
    for server, versions in enumerate([(9, 10), (8, 9), (9, 100)]):
        for version in versions:
            write(tmp_path / f"server{server}-{version}.npz", {"is": version})
    assert newest(tmp_path, 3)[0] == [{"is": 9}] * 3
    saved(tmp_path, 1)[9].unlink()
    assert newest(tmp_path, 3)[0] == [{"is": 10}, {"is": 8}, {"is": 100}]
    saved(tmp_path, 1)[8].unlink()
    assert newest(tmp_path, 3)[0] == [None] * 3


# Writing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_so_many_updates_are_kept_and_the_last_two_files(tmp_path):
    keeper = Keeper(tmp_path / "new", every=4, more={"model": "mlp"})
    server = new_server(num_updates=14, keeper=keeper)
    server.join(0), server.join(1)
    push_steps(server, 0)
    assert names(tmp_path) == []
    push_steps(server, 1, 2, 3, 4, 5)
    assert names(tmp_path / "new") == ["server0-12.npz", "server0-8.npz"]
    push_steps(server, 6)  # the last: a run that has ended is kept as well
    assert names(tmp_path / "new") == ["server0-12.npz", "server0-14.npz"]
    assert_same(newest(tmp_path / "new")[0][0], server.state() | {"model": "mlp"})


def no_more_than(size):
    """Let files of this process grow to this size: the disk is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.parametrize("strict", [True, False])
def test_where_the_disk_is_full_the_last_checkpoint_is_intact(strict, tmp_path):
    server = new_server(keeper=Keeper(tmp_path, strict=strict))
    server.join(0), server.join(1)
    push_steps(server, 0)
    before = names(tmp_path), newest(tmp_path)[0][0]["version"]
    update, words = [np.ones_like(v) for v in VALUES.values()], "update 3 could not be"
    no_more_than(500)
    try:
        if strict:
            with pytest.raises(OSError, match=f"{words} saved .* before is intact"):
                server.push(0, 1, update, None)
        else:
            server.push(0, 1, update, None)
            assert server.report().warning.startswith(words)
    finally:
        no_more_than(resource.RLIM_INFINITY)
    assert (names(tmp_path), newest(tmp_path)[0][0]["version"]) == before
    server.push(1, 1, update, None)  # there is room again
    assert server.report().warning == "" and newest(tmp_path)[0][0]["version"] == 4


def test_file_and_folder_are_on_the_disk_before_the_name_counts(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace

    def note_fsync(number):
        calls.append("fsync " + os.readlink(f"/proc/self/fd/{number}"))
        fsync(number)

    def note_replace(*names):
        calls.append("replace")
        replace(*names)

    def fail(number):
        raise OSError(errno.EIO, "a broken disk")

    monkeypatch.setattr(checkpoint.os, "fsync", note_fsync)
    monkeypatch.setattr(checkpoint.os, "replace", note_replace)
    write(tmp_path / "a.npz", {})
    assert calls == [f"fsync {tmp_path / 'a.tmp'}", "replace", f"fsync {tmp_path}"]
    monkeypatch.setattr(checkpoint.os, "fsync", fail)
    with pytest.raises(OSError, match="a broken disk"):
        write(tmp_path / "b.npz", {})
    assert names(tmp_path) == ["a.npz"]
