"""Wrong and right answers to the exercises of notebooks 04 to 06b."""

import bisect
import functools
import heapq
import itertools
import zlib

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import fewer_bytes, many_servers, messages, waiting


def of(exercise, *rows):
    return [(exercise, *row) for row in rows]


# Notebooks 04 and 04b: Barrier, Window, scale_update, round_time.

SCALED = "part / max(1, staleness)"
COUNT, LAST = "len(self.came) < self.num_workers", "sorted(compute_times)[last_needed]"
GO_ON = "[w for w in asking if self.clocks[w] <= limit]"
TIMES = "sorted(compute_times)"
IN_TIME = "sorted(compute_times)[: len(compute_times) - backup_workers]"
MUTATIONS = [
    *of(
        "Barrier",
        ("return everyone", "return", "where nobody may go on, not nothing"),
        ("return []", "return None", "where nobody may go on, not nothing"),
        ("return []", "return False", "not True or False"),
        ("return everyone", "return len(everyone)", "a list, not one number"),
        ("return everyone", "return set(everyone)", "what came is of type set"),
        ("return everyone", "return iter(everyone)", "which can be read twice"),
        (COUNT, "False", "is '[]', not '[2]'"),
        ("return []", "return sorted(self.came)", "is '[]', not '[2]'"),
        ("self.came.append(worker)", "pass", "is '[0]', not '[]'"),
        ("self.num_workers", "4", "is '[0]', not '[]'"),
        ("self.num_workers", "3", "is '[0]', not '[]'"),
        (COUNT, f"{COUNT} // 2", "not '[2]'"),
        (COUNT, f"len(self.came) == 1 or {COUNT}", "is '[0]', not '[]'"),
        ("sorted(self.came), []", "sorted(self.came), [worker]", "entry 1"),
        ("return []", "raise RuntimeError", "stops with RuntimeError"),
        ("sorted(self.came), []", "self.came, self.came; everyone.clear()", "do"),
        ("append(worker)", "insert(worker)", "stops with TypeError"),
    ),
    *of(
        "Window",
        ("return [", "_ = [", "where nobody may go on, not nothing"),
        (GO_ON, f"bool({GO_ON})", "not True or False"),
        (GO_ON, f"len({GO_ON})", "a list, not one number"),
        (GO_ON, f"set({GO_ON})", "what came is of type set"),
        (GO_ON, f"iter({GO_ON})", "which can be read twice"),
        (GO_ON, "self.waiting", "return who goes on, not who waits"),
        ("+= 1", "+= 2", "is '["),
        ("+ self.s", "+ 1", "Window("),
        ("+ self.s", "+ (self.s or 1)", "Window("),
        ("+ self.s", "+ int(self.s)", "s may be infinite"),
        ("self.clocks[worker] += 1", "pass", "steps ahead of the slowest"),
        ("+ self.s", "+ next(i for i in range(99) if i >= self.s - 1e-9)", "Window("),
    ),
    *of(
        "scale_update",
        (SCALED, "part * np.exp(-staleness)", "not [0.8"),
        (SCALED, "1 / staleness * part", "you divided by 0"),
        ("for part in update]", "for part in update][:1]", "the length of"),
        ("in update]", "in update[::-1]]", "the shape of entry 0"),
        (SCALED, f"({SCALED}).ravel()", "the shape of entry 0"),
        (SCALED, f"({SCALED}).astype(int)", "entry 0"),
        (SCALED, f"({SCALED}).astype(np.float16)", "entry 0"),
        (f"[{SCALED} for part in update]", "update / staleness", "divide"),
        (f"[{SCALED} for part in update]", "np.array(update) / 2", "divide"),
        (SCALED, f"part.__itruediv__({SCALED[7:]})", "leave it as it is"),
        (SCALED, f"update.pop(0) / {SCALED[7:]}", "leave it as it is"),
        (SCALED, "part * (staleness and 1 / staleness)", "0) is [1.5, -2]"),
        ("max(1, staleness)", "{0: 1, 1: 2}.get(staleness, staleness)", "1)"),
        ("max(1, staleness)", "(staleness > 2 and staleness or 1)", "2) is"),
        (f"[{SCALED} for part in update]", "[update[0]] * 2", "the length"),
        (SCALED, f"str({SCALED})", "in yours is one str"),
    ),
    *of(
        "round_time",
        (LAST, IN_TIME, "return one time"),
        (LAST, "np.sort(compute_times)", "return one time"),
        (LAST, f"max({TIMES}[:-backup_workers])", "is not there"),
        (LAST, f"{TIMES}[:-backup_workers][-1]", "is not there"),
        (LAST, "np.sort(compute_times)[:-backup_workers].max()", "is not th"),
        (LAST, "np.sort(compute_times)[:-backup_workers][-1]", "is not there"),
        (LAST, "max(compute_times[: last_needed + 1])", "not the last"),
        (LAST, "max(compute_times) * last_needed / 4", "round_time("),
        ("len(compute_times)", "5", "round_time("),
        ("- backup_workers", "- (backup_workers and 1)", "round_time("),
        ("last_needed =", "compute_times.sort(); last_needed =", "leave it as"),
        (LAST, "sorted(compute_times.copy().remove(1))[0]", "may be an array"),
    ),
]


class Given:
    """What the exercise gives: the method arrive is to be written."""

    def __init__(self, num_workers):
        self.num_workers, self.came = num_workers, []


def barrier(arrive):
    return type("Barrier", (Given,), {"arrive": arrive})


came_to_any = []


def share(self, worker):
    came_to_any.append(worker)
    if len(came_to_any) < self.num_workers:
        return []
    everyone = sorted(came_to_any)
    came_to_any.clear()
    return everyone


def empty_later(self, worker):
    if len(self.came) == self.num_workers:
        self.came.clear()
    bisect.insort(self.came, worker)
    return self.came if len(self.came) == self.num_workers else []


def return_the_same(self, worker):
    self.go = getattr(self, "go", [])
    self.go.clear()
    self.came.append(worker)
    if len(self.came) == self.num_workers:
        self.go += sorted(self.came)
        self.came = []
    return self.go


def go_through_the_open_barrier(self, worker):
    if len(self.came) == self.num_workers:
        return [worker]
    self.came.append(worker)
    return sorted(self.came) if len(self.came) == self.num_workers else []


def count_modulo(self, worker):
    self.came.append(worker)
    return range(0 if len(self.came) % self.num_workers else self.num_workers)


def who_is_missing(self, worker):
    self.came = self.came or list(range(self.num_workers))
    self.came.remove(worker)
    return () if self.came else tuple(range(self.num_workers))


class HereAsAnArray:
    __slots__ = ("here",)

    def __init__(self, num_workers):
        self.here = np.zeros(num_workers, bool)

    def arrive(self, worker):
        self.here[worker] = True
        if not self.here.all():
            return []
        everyone = np.flatnonzero(self.here)
        self.here[:] = False
        return everyone


class GivenAWindow:
    """What the exercise gives: the method push is to be written."""

    def __init__(self, num_workers, s):
        self.s, self.clocks, self.waiting = s, [0] * num_workers, []


def window(push):
    return type("Window", (GivenAWindow,), {"push": push})


def release_one(self, worker):
    go = look_at_all(self, worker)
    self.waiting += go[1:]
    return go[:1]


def release_all_when_the_slowest_moves(self, worker):
    before = min(self.clocks)
    self.clocks[worker] += 1
    self.waiting.append(worker)
    if self.clocks[worker] - min(self.clocks) > self.s:
        return []
    go = self.waiting if min(self.clocks) > before else [worker]
    self.waiting = [w for w in self.waiting if w not in go]
    return sorted(go)


def look_at_all(self, worker):
    self.clocks[worker] += 1
    self.waiting.append(worker)
    go = []
    for w in sorted(self.waiting):
        if not any(self.clocks[w] > clock + self.s for clock in self.clocks):
            self.waiting.remove(w)
            go.append(w)
    return tuple(go)


def flags_for_all(self, worker):
    self.clocks[worker] += 1
    waits = self.waiting or [False] * len(self.clocks)
    waits[worker] = True
    slowest, go = min(self.clocks), []
    for w, clock in enumerate(self.clocks):
        if waits[w] and clock <= slowest + self.s:
            waits[w] = False
            go += [w]
    self.waiting = waits
    return go


class InAnArray:
    __slots__ = ("clocks", "here", "s")

    def __init__(self, num_workers, s):
        self.s, self.clocks = s, np.zeros(num_workers, int)
        self.here = np.zeros(num_workers, bool)

    def push(self, worker):
        self.clocks[worker] += 1
        self.here[worker] = True
        go = self.here & (self.clocks - self.clocks.min() <= self.s)
        self.here &= ~go
        return np.flatnonzero(go)


def on_copies(update, staleness):
    copies = tuple(part.copy() for part in update)
    for part in copies:
        part /= staleness or 1
    return copies


def fewer_each_time(times, b=0):
    times = list(times)
    for _ in range(b):
        times.remove(max(times))
    return float(max(times))


def leave_out_all_slowest(times, b=0):
    for _ in range(b):
        times = [time for time in times if time != max(times)]
    return max(times)


def sort_a_slice(times, b=0):
    times = times[:]
    times.sort()
    return times[len(times) - b - 1]


WRONG = [
    *of(
        "Barrier",
        (barrier(share), "two calls with the same arguments give different"),
        (barrier(empty_later), "what was returned changed later"),
        (barrier(return_the_same), "what was returned changed later"),
        (barrier(go_through_the_open_barrier), "entry 2 of Barrier(2)"),
        (barrier(lambda self, worker: [worker]), "is '[]', not '[2]'"),
        (type("Barrier", (Given,), {}), "a class with the method arrive"),
        (lambda num_workers: list(range(num_workers)), "a class with the method"),
    ),
    *of(
        "Window",
        (window(release_one), "Window("),
        (window(lambda self, worker: [worker]), "steps ahead of the slowest"),
        (type("Window", (GivenAWindow,), {}), "a class with the method push"),
    ),
    *of(
        "scale_update",
        (lambda u, s: {i: p / max(1, s) for i, p in enumerate(u)}, "a list"),
        (lambda u, s: np.concatenate([p.ravel() for p in u]), "the length"),
    ),
    *of(
        "round_time",
        (lambda t, b: sorted(t)[-b - 1], "be left out"),
        (lambda t, b=1: sorted(t)[-max(1, b) - 1], "waits for all"),
        (lambda t, b=0: sorted(t)[-b - 1 if b else 0], "round_time("),
        (lambda t, b=0: max(t) - np.mean(t), "round_time("),
        (leave_out_all_slowest, "equal times count each"),
        (sort_a_slice, "leave it as it is"),
    ),
]
RIGHT = [
    *of(
        "Barrier",
        (barrier(count_modulo),),
        (barrier(who_is_missing),),
        (HereAsAnArray,),
    ),
    *of(
        "Window",
        (window(look_at_all),),
        (window(flags_for_all),),
        (window(release_all_when_the_slowest_moves),),
        (InAnArray,),
    ),
    *of(
        "scale_update",
        (lambda u, s: u if s < 2 else [np.divide(p, s) for p in u],),
        (on_copies,),
        (lambda u, s: [np.float32(1 / max(s, 1)) * p for p in u],),
    ),
    *of(
        "round_time",
        (lambda t, backup_workers=0: sorted(t)[::-1][backup_workers],),
        (lambda t, b=0: np.partition(t, len(t) - b - 1)[len(t) - b - 1],),
        (lambda t, b=0: heapq.nlargest(b + 1, t)[-1],),
        (fewer_each_time,),
    ),
]
TestWaiting = all_tests_of(waiting, MUTATIONS, WRONG, RIGHT)


# Notebook 05: balance, cut, put_back.

PARTS, WHOLE = "[flat[a:b] for a, b in pairwise(ends)]", "np.concatenate(parts)"
LEAST = "loads.index(min(loads))"


def place(order, sizes, num_servers, choose=lambda loads: loads.index(min(loads))):
    loads, server_of = [0] * num_servers, {}
    for key in order:
        server_of[key] = choose(loads)
        loads[server_of[key]] += sizes[key]
    return server_of


def with_a_heap(sizes, num_servers):
    heap, found = [(0, server) for server in range(num_servers)], {}
    for size, key in sorted(((s, k) for k, s in sizes.items()), reverse=True):
        load, found[key] = heapq.heappop(heap)
        heapq.heappush(heap, (load + size, found[key]))
    return found


def from_lists_of_keys(sizes, num_servers):
    servers = [[] for _ in range(num_servers)]
    for key in sorted(sizes, key=sizes.get)[::-1]:
        min(servers, key=lambda keys: sum(map(sizes.get, keys))).append(key)
    return {key: np.int64(s) for s, keys in enumerate(servers) for key in keys}


def by_what_is_left(weight, num_servers):
    rest, parts = weight.ravel(), ()
    for servers_left in range(num_servers, 0, -1):
        size = len(rest) // servers_left
        parts += (rest[:size],)
        rest = rest[size:]
    return parts


def by_filling(parts, shape):
    whole, start = np.empty(shape, parts[0].dtype), 0
    for part in parts:
        whole.reshape(-1)[start : start + len(part)] = part
        start += len(part)
    return whole


TestServers = all_tests_of(
    many_servers,
    mutations=[
        *of(
            "balance",
            ("return server_of", "print(server_of)", "returned nothing"),
            ("return server_of", "return loads", "return a dictionary"),
            ("return server_of", "return {**server_of, 'all': 0}", "its keys are"),
            ("return server_of", "return {**sizes}", "is 1, not 3"),
            ("return server_of", "return {k: [0] for k in sizes}", "is a list"),
            (
                "return server_of",
                "return {k: float(v) for k, v in server_of.items()}",
                "is a float",
            ),
            ("min(loads)", "max(loads)", "all are on server 0"),
            ("sizes[key]", "sizes.pop(key)", "changed its argument"),
            ("[0] * num_servers", "[0] * 3", "balance("),
        ),
        *of(
            "cut",
            ("return", "_ =", "it returned nothing"),
            (PARTS, "flat", "each part is a 1-D array"),
            (PARTS, f"[part.tolist() for part in {PARTS}]", "each part is a 1-D"),
            (PARTS, "np.array_split(weight, num_servers)", "each part is a 1-D"),
            (PARTS, f"[part.copy() for part in {PARTS}]", "the parts are copies"),
            (PARTS, f"[part.astype(int) for part in {PARTS}]", "entry 'elements'"),
            (PARTS, "np.array_split(flat, 4)", "entry 'lengths'"),
            (PARTS, "np.array_split(flat, num_servers + 1)", "entry 'lengths'"),
            (PARTS, "np.array_split(flat[1:], num_servers)", "entry 'elements'"),
            (PARTS, "np.array_split(np.sort(flat), num_servers)", "element"),
            (PARTS, "np.split(flat, num_servers)", "remainder: array_split"),
            ("s // num_servers", "-(-s // num_servers)", "entry 'lengths'"),
            ("return", "weight[:] = 0; return", "changed its argument weight"),
        ),
        *of(
            "put_back",
            ("return", "_ =", "it returned nothing"),
            (f"{WHOLE}.reshape(shape)", "parts", "of numbers, not a list"),
            ("(shape)", "(shape).tolist()", "of numbers, not a list"),
            (".reshape(shape)", ".astype(str)", "of numbers, not a ndarray"),
            (".reshape(shape)", ".reshape(shape[0], -1)", "the shape of entry"),
            (f"{WHOLE}.reshape(shape)", "parts[0]", "the shape of entry"),
            (WHOLE, "np.resize(parts[0], shape)", "entry 'array'"),
            (WHOLE, "np.concatenate([np.zeros(0), *parts])", "the parts' dtype"),
            (WHOLE, f"{WHOLE}.astype(np.float16)", "entry 'array'"),
            (WHOLE, f"np.sort({WHOLE})", "entry 'array'"),
            ("concatenate", "stack", "different lengths"),
            ("concatenate", "array", "different lengths"),
            (f"{WHOLE}.reshape(shape)", "np.append(parts[0], parts)", "differ"),
            ("return", "parts.reverse(); return", "changed its argument parts"),
        ),
    ],
    wrong=[
        *of(
            "balance",
            (lambda sizes, n: {k: zlib.crc32(k.encode()) % n for k in sizes}, "is"),
            (lambda sizes, n: {k: sizes[k] % n for k in sizes}, "balance("),
            (lambda sizes, n: dict(zip(sizes, itertools.cycle(range(n)))), "by tu"),
            (lambda sizes, n: place(reversed(sizes), sizes, n), "balance("),
        ),
        *of(
            "cut",
            (
                lambda w, n: [w.reshape(-1)[i : i + 3] for i in range(0, 9, 3)],
                "elements",
            ),
        ),
        *of(
            "put_back",
            (lambda parts, shape: np.zeros(shape, parts[0].dtype), "entry 'array'"),
        ),
    ],
    right=[
        *of(
            "balance",
            (lambda s, n: place(sorted(s, key=lambda k: -s[k]), s, n),),
            (with_a_heap,),
            (from_lists_of_keys,),
        ),
        *of(
            "cut",
            (lambda weight, n: np.array_split(weight.ravel(), n),),
            (by_what_is_left,),
            (
                lambda w, n: np.split(
                    w.reshape(-1), [w.size * s // n for s in range(1, n)]
                ),
            ),
        ),
        *of(
            "put_back",
            (by_filling,),
            (lambda parts, shape: np.reshape(np.hstack(parts), shape),),
            (lambda parts, shape: functools.reduce(np.append, parts).reshape(shape),),
        ),
    ],
)


# Notebook 06: fit_cost, free_row.


def normal_equations(sizes, seconds):
    u, v = (
        [1 / s for s in seconds],
        [x / s for x, s in zip(sizes, seconds, strict=True)],
    )
    uu, vv = sum(x * x for x in u), sum(x * x for x in v)
    uv, su, sv = sum(x * y for x, y in zip(u, v, strict=True)), sum(u), sum(v)
    d = uu * vv - uv * uv
    return (su * vv - sv * uv) / d, d / (sv * uu - su * uv)


def fitted(weights, sizes, seconds):
    slope, a = np.polyfit(sizes, seconds, 1, w=weights)
    return np.array([a, 1 / slope])


def first_and_last(sizes, seconds):
    slope = (seconds[-1] - seconds[0]) / (sizes[-1] - sizes[0])
    return seconds[0] - slope * sizes[0], 1 / slope


def free_slots(newest, reading):
    row = 0
    while row == newest or row in reading.values():
        row += 1
    return row


TAKEN, FREE = "{newest, *reading.values()}", "min(set(range(len(taken) + 1)) - taken)"
TestMessages = all_tests_of(
    messages,
    mutations=[
        *of(
            "fit_cost",
            ("return a, 1 / slope", "print(a, 1 / slope)", "returned nothing"),
            ("a, 1 / slope", "a + sizes * slope", "return two numbers"),
            ("a, 1 / slope", "a, 1 / slope, 0", "return two numbers"),
            ("a, 1 / slope", "0, 1 / slope", "entry 'a' of fit_cost("),
            ("a, 1 / slope", "seconds.min(), 1 / slope", "entry 'a' of fit_cost("),
            ("a, 1 / slope", "a, round(1 / slope, -8)", "entry 'b' of fit_cost("),
            ("np.asarray(sizes, float)", "np.log(sizes + 1)", "entry"),
            ("sizes, seconds = ", "sizes[0] = 5; sizes, seconds = ", "changed its"),
        ),
        *of(
            "free_row",
            (f"return {FREE}", f"print({FREE})", "returned nothing"),
            (FREE, "int(newest == 0)", "nobody may write"),
            (FREE, "len(reading)", "is 1, not 0"),
            (FREE, "len(taken)", "free_row("),
            (FREE, "sorted(set(range(len(taken) + 1)) - taken)", "is a list"),
            (FREE, f"float({FREE})", "is a float"),
            (FREE, "min(taken) - 1", "not -1"),
            ("len(taken) + 1", "len(taken)", "look at one more"),
            (FREE, "next(r for r in range(len(taken)) if r not in taken)", "one m"),
            ("return", "reading[0] = newest; return", "changed its argument read"),
        ),
    ],
    wrong=[
        *of(
            "fit_cost",
            (lambda x, t: fitted(1 / np.maximum(x, 1), x, t), "entry"),
            (first_and_last, "entry 'a' of fit_cost("),
        ),
        *of(
            "free_row",
            (lambda n, r: min({*range(30)} - {n, *r}), "keys are"),
        ),
    ],
    right=[
        *of(
            "fit_cost",
            (lambda sizes, seconds: fitted(1 / seconds, sizes, seconds),),
            (lambda sizes, seconds: list(fitted(1 / seconds, sizes, seconds)),),
            (normal_equations,),
        ),
        *of(
            "free_row",
            (free_slots,),
            (lambda n, r: min({*range(len(r) + 2)} - {n, *r.values()}),),
            (lambda n, r: np.setdiff1d(np.arange(22), [n, *r.values()])[0],),
        ),
    ],
)


# Notebook 06b: top_k, best_servers.


def without(numbers, indices):
    """Return a copy with 0 at some places."""
    rest = np.array(numbers)
    rest[indices] = 0
    return rest


def by_partition(update, error, k):
    total = update + error
    indices = np.argpartition(np.abs(total), -k)[-k:]
    return indices, total[indices], without(total, indices)


def with_lists(update, error, k):
    total = [u + e for u, e in zip(update, error, strict=True)]
    order = sorted(range(len(total)), key=lambda i: abs(total[i]))
    indices = sorted(order[len(total) - k :])
    kept = [0 if i in indices else t for i, t in enumerate(total)]
    return indices, [total[i] for i in indices], kept


def what_the_server_reads(update, error, k):
    total = np.add(update, error)
    indices = np.argsort(total**2)[::-1][:k].astype(np.uint32)
    received = np.zeros_like(total, np.float32)
    received[indices] = total[indices]
    return [indices, received[indices], total - received]


def in_float32(update, error, k):
    total = np.add(update, error)
    indices = np.argsort(-np.abs(total))[:k]
    return indices, total[indices].astype(np.float32), without(total, indices)


def by_threshold(update, error, k):
    total = np.abs(update + error)
    i = np.flatnonzero(total >= np.sort(total)[::-1][k - 1])
    return i, (update + error)[i], without(update + error, i)


def the_same_array(update, error, k, kept={}):  # noqa: B006
    total = update + error
    i = np.argsort(-np.abs(total))[:k]
    array = kept.setdefault(len(total), np.zeros(len(total)))
    array[:] = without(total, i)
    return i, total[i], array


def one_error_for_all(update, error, k, kept={}):  # noqa: B006
    total = update + error + kept.get(len(update), 0)
    i = np.argsort(-np.abs(total))[:k]
    kept[len(update)] = without(total, i)
    return i, total[i], without(total, i)


def in_a_loop(n, most, message, copy):
    best = 1
    for k in range(2, most + 1):
        now = best * message + max(1, n / best) * copy
        if k * message + max(1, n / k) * copy < now:
            best = k
    return best


def in_numpy(n, most, message, copy):
    k = np.arange(1, most + 1)
    return k[(k * message + np.maximum(1, n / k) * copy).argmin()]


SENT = "return indices, values, new_error"
BEST = "min(range(1, max_servers + 1), key=seconds)"
TestBytes = all_tests_of(
    fewer_bytes,
    mutations=[
        *of(
            "top_k",
            (SENT, "", "returned nothing"),
            (SENT, "return indices, values", "return three rows of numbers"),
            (SENT, "return indices, values, [new_error]", "return three rows of"),
            (SENT, "return values, indices, new_error", "values there?"),
            (SENT, "return np.isin(range(len(total)), indices), values, total", "mask"),
            (SENT, "return indices, values, new_error[:-1]", "one number for each"),
            (SENT, "return indices, total, new_error", "you send 2 indices and 12"),
            ("[:k]", "[:k - 1]", "you send 1 indices and 1 values"),
            ("[:k]", "[:k] * 0", "indices must be 2 different places"),
            ("[:k]", "[:k] + len(total)", "stops with IndexError"),
            ("indices, values,", "indices - len(total), values,", "must be 2 differ"),
            ("np.add(update, error)", "update; total += error", "changed its argument"),
            ("total.copy()", "error; new_error[:] = total", "changed its argument"),
            (SENT, SENT.replace("values", "np.round(values)"), "entry 'sent'"),
            (SENT, "return indices, values, new_error / 2", "entry 'new_error'"),
            ("[:k]", "[:max(k, 2)]", "you send 2 indices and 2 values"),
        ),
        *of(
            "best_servers",
            (f"return {BEST}", f"print({BEST})", "returned nothing"),
            (BEST, "0", "it gives 0 whatever the arguments are"),
            (BEST, f"[{BEST}]", "return one number"),
            ("range(1,", "range(", "it divided by 0"),
            ("k * per_message", "k * num_workers * per_message", "best_serv"),
            ("* per_copy", "* round(per_copy)", "best_servers("),
        ),
    ],
    wrong=[
        *of(
            "top_k",
            (in_float32, "rounds off"),
            (by_threshold, "you send 4 indices and 4 values"),
            (the_same_array, "the very same array"),
            (one_error_for_all, "entry 'sent'"),
        ),
        *of(
            "best_servers",
            (lambda n, m, p, c: round((n * c / p) ** 0.5), "it divided by 0"),
            (lambda n, m, p, c: min(n, m), "each server costs a message"),
        ),
    ],
    right=[
        *of(
            "top_k",
            (by_partition,),
            (with_lists,),
            (what_the_server_reads,),
        ),
        *of(
            "best_servers",
            (in_a_loop,),
            (in_numpy,),
            (
                lambda n, m, p, c: float(
                    min((k * p + max(1, n / k) * c, k) for k in range(1, m + 1))[1]
                ),
            ),
        ),
    ],
)
