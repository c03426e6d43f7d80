"""Tests of servers by sockets: who is let in, what is refused, and sums of updates."""

import socket
import time
from multiprocessing import AuthenticationError
from multiprocessing import connection as mp

import numpy as np
import pytest

from ps_helpers import __version__, sockets
from ps_helpers.checkpoint import Keeper, newest
from ps_helpers.records import Times
from ps_helpers.rules import Asynchronous, StaleSynchronous, Synchronous
from ps_helpers.sockets import Fresh, Line, SocketGate, SumServer, call, words

SHAPES, TIMES = [(3, 2), (), (0, 4), (300_000,)], Times(1.0, 2.0, 3.0)
ZEROS = [np.zeros(shape, np.float32) for shape in SHAPES]
WEIGHTS = [np.empty_like(part) for part in ZEROS]  # as they were last received


@pytest.fixture
def gate():
    return SocketGate(list("Wabc"), ZEROS, {"rule": Asynchronous()})


def joined(gate, worker):
    """Return the line of a worker that has joined and may compute."""
    line = call(gate.place(), SHAPES)
    line.say(words(joins=[worker]))
    assert line.answer(WEIGHTS) == [[worker, [0, 0]]]
    return line


def send(line, worker, step, update=ZEROS):
    line.say(words(pushes=[(worker, step, TIMES)]), update)


# Who comes in


def test_who_does_not_know_the_key_is_refused_and_the_others_go_on(gate, monkeypatch):
    monkeypatch.setattr(sockets, "PATIENCE", 1)
    address, key = gate.place()
    line = joined(gate, 0)
    with pytest.raises(AuthenticationError):
        call((address, b"another key"), SHAPES)
    silent = socket.create_connection(address)
    loud = socket.create_connection(address)
    loud.sendall(b"\x7f\xff\xff\xffGET / HTTP/1.1")
    for step in range(3):
        send(line, 0, step)
        assert line.answer(WEIGHTS) == [[0, [step + 1, step + 1]]]
    for stranger in (silent, loud):
        stranger.settimeout(20)
        while stranger.recv(1000):  # the challenge, and then the end
            pass
    assert gate.report().steps == {0: 3}


def test_what_cannot_work_is_refused_in_a_sentence(gate):
    address, key = gate.place()
    with pytest.raises(ValueError, match="arrays of shapes .*3, 3.*, the server"):
        call((address, key), [(3, 3)]).answer([])
    for hello, reason in (
        (["0.0.1", SHAPES], r"a worker has ps_helpers 0\.0\.1, and its"),
        (
            [__version__, SHAPES, "zip"],
            "packs updates by zip, and its server by .*topk",
        ),
    ):
        line = Line(socket.create_connection(address))
        line.prove(key, mp.answer_challenge, mp.deliver_challenge)
        line.say(hello)
        with pytest.raises(ValueError, match=reason):
            line.answer([])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # not listening
        with pytest.raises(RuntimeError, match="cannot reach the server at 127.0.0.1:"):
            call((free.getsockname(), key), SHAPES)
    with pytest.raises(ValueError, match="a is float64; .* has float32"):
        SocketGate(["a"], [np.zeros(3)], {})


def test_who_takes_a_place_has_it_and_one_who_does_not_read_holds_nobody_up(gate):
    old, new, other = (joined(gate, worker) for worker in (0, 0, 1))
    ones = [np.ones_like(part) for part in ZEROS]
    send(new, 0, 0)
    for step in range(20):  # 24 MB that `new` does not read
        send(other, 1, step, ones)
        other.answer(WEIGHTS)
        assert WEIGHTS[3][-1] == step + 1
    with pytest.raises((EOFError, OSError)):
        send(old, 0, 0), old.answer(WEIGHTS)
    [[_, [_, step]]] = new.answer(WEIGHTS)
    assert step == 1
    assert gate.report().steps == {0: 1, 1: 20}


def test_what_an_old_line_brings_counts_no_more_when_one_of_it_has_come_again(gate):
    place, shapes = gate.place(), list(map(list, SHAPES))
    old, new = call(place, shapes), call(place, shapes)
    old.say(words(joins=[0, 1]))
    while len(gate.report().computing) < 2:
        time.sleep(0.01)
    new.say(words(joins=[0]))
    assert new.answer(ZEROS) == [[0, [0, 0]]]
    old.say(words(pushes=[(0, 0, TIMES), (1, 0, TIMES)]), ZEROS)
    with pytest.raises((EOFError, OSError)):
        old.answer(ZEROS), old.answer(ZEROS), old.answer(ZEROS)
    new.say(words(joins=[1], pushes=[(0, 0, TIMES)]), ZEROS)
    assert new.answer(ZEROS)[0][1][0] == gate.report().version == 1
    silence = old.peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert silence == 60_000  # or who is cut off would be waited for for hours


# Sums


def sum_server(rule, workers=5, keeper=None):
    server = SumServer(Fresh(["w"], [np.zeros(4, np.float32)]), rule, keeper=keeper)
    for worker in range(workers):
        server.join(worker)
    return server


def push(server, *workers, step=0):
    """Push the sum of updates by these workers, worker + 1 each."""
    total = [np.full(4, sum(w + 1 for w in workers), np.float32)]
    return server.push_sum([(w, step, TIMES) for w in workers], total, 0.0)


def test_rounds_take_the_mean_of_what_sums_are_of():
    for groups in ([(0, 1, 2), (3, 4)], [(0,), (1, 2, 3, 4)], [(0, 1, 2, 3, 4)]):
        server = sum_server(Synchronous(5))
        go = [push(server, *group) for group in groups]
        assert go == [[]] * (len(groups) - 1) + [[0, 1, 2, 3, 4]]
        np.testing.assert_allclose(server.pull(0).weights[0], 3, rtol=1e-6)
        assert (server.store.version, server.ledger.num_pushes) == (1, 5)
        assert push(server, *groups[0]) == list(groups[0])  # its answer was lost
        assert server.store.version == 1


def test_updates_that_are_added_count_one_by_one_also_in_a_sum():
    server = sum_server(Asynchronous())
    assert push(server, 0, 1, 2) == [0, 1, 2]
    assert server.pull(0).version == 3 == server.pull(0).weights[0][0] / 2
    assert push(server, 3, 4) == [3, 4] and push(server, 0, step=1) == [0]
    log = server.report().log
    assert [p.staleness for p in log] == [0, 1, 2, 3, 4, 2]
    assert [p.worker for p in log] == [0, 1, 2, 3, 4, 0]
    with pytest.raises(ValueError, match="have counted before"):
        push(server, 1, 2, step=0), push(server, 0, 1, step=1)
    assert server.store.version == 6


def test_who_is_ahead_waits_though_it_came_in_a_sum():
    server = sum_server(StaleSynchronous(3, 0), 3)
    assert push(server, 0, 1) == []
    assert sorted(push(server, 2)) == [0, 1, 2]
    np.testing.assert_array_equal(server.pull(1).weights[0], 6)


def test_no_part_of_a_sum_is_saved_or_sent_home_without_the_others(tmp_path):
    server = sum_server(Asynchronous(), 3, Keeper(tmp_path))
    push(server, 0, 1, 2)
    [state], _ = newest(tmp_path)
    assert state["steps"] == {0: 1, 1: 1, 2: 1} and state["version"] == 3
    for worker in range(3):
        server.pull(worker)
    assert server.stop() == []  # all compute
    assert sorted(push(server, 0, 1, 2, step=1)) == [0, 1, 2]
    assert server.report().steps == {0: 2, 1: 2, 2: 2}
    assert not any(push.dropped for push in server.report().log)
    np.testing.assert_array_equal(server.store.weights["w"], 12)
