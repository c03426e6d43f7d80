"""Wrong and right answers to the exercises of notebooks 04, 04b, 05, 06 and 06b."""

import heapq

import numpy as np
from answers import all_tests_of

from ps_helpers.checks import fewer_bytes, many_servers, messages, waiting

CAME, SCALED = "sorted(self.came), []", "part / max(1, staleness)"
PARTS, WHOLE = "[flat[a:b] for a, b in pairwise(ends)]", "np.concatenate(parts)"
FREE = "min(set(range(len(taken) + 1)) - taken)"
LARGEST, SENT = "np.argsort(-np.abs(total))[:k]", "return indices, values, new_error"
REFUSED = {
    "Barrier": [
        ("return []", "return None", "where nobody may go on, not nothing"),
        ("return []", "return False", "not True or False"),
        ("return everyone", "return len(everyone)", "a list, not one number"),
        ("return everyone", "return set(everyone)", "what came is of type set"),
        ("return everyone", "return iter(everyone)", "which can be read twice"),
        ("self.num_workers", "3", "is '[0]', not '[]'"),
        (CAME, "sorted(self.came), [worker]", "entry 1"),
        (CAME, "self.came, self.came; everyone.sort()", "what was returned changed"),
        ("append(worker)", "insert(worker)", "stops with TypeError"),
    ],
    "Window": [
        ("+ self.s", "+ (self.s or 1)", "Window("),
        ("+ self.s", "+ int(self.s)", "s may be infinite"),
    ],
    "scale_update": [
        ("update / staleness", "divide each"),
        ("np.array(update) / 2", "divide each"),
        (SCALED, "1 / staleness * part", "you divided by 0"),
        (SCALED, "part * np.exp(-staleness)", "not [0.8"),
        (SCALED, f"str({SCALED})", "in yours is one str"),
        (SCALED, f"({SCALED}).ravel()", "the shape of entry 0"),
        (SCALED, f"({SCALED}).astype(np.float16)", "entry 0"),
        (SCALED, "part * (staleness and 1 / staleness)", "0) is [1.5, -2]"),
        ("max(1, staleness)", "{0: 1, 1: 2}.get(staleness, staleness)", "1)"),
    ],
    "round_time": [
        ("sorted(compute_times)", "return one time"),
        ("max(sorted(compute_times)[:-backup_workers])", "is not there"),
        ("sorted(compute_times)[:-backup_workers][-1]", "is not there"),
        ("np.sort(compute_times)[:-backup_workers].max()", "is not there"),
        ("compute_times.index(max(compute_times))", "may be an array"),
        (lambda t, b: sorted(t)[-b - 1], "be left out"),
        ("- backup_workers", "- (backup_workers and 1)", "round_time("),
    ],
    "balance": [
        ("return server_of", "return loads", "return a dictionary"),
        ("return server_of", "return {**server_of, 'all': 0}", "its keys are"),
        ("return server_of", "return dict.fromkeys(server_of, 1.0)", "is a float"),
        ("return server_of", "return {key: [0] for key in sizes}", "is a list"),
        ("[0] * num_servers", "[0] * 3", "balance("),
    ],
    "cut": [
        ("np.array_split(weight, num_servers)", "each part is a 1-D array"),
        (PARTS, f"[part.tolist() for part in {PARTS}]", "each part is a 1-D array"),
        ("np.array_split(weight.reshape(-1), num_servers + 1)", "entry 'lengths'"),
        ("np.array_split(np.sort(weight, axis=None), num_servers)", "element"),
        ("np.split(weight.reshape(-1), num_servers)", "remainder: array_split"),
    ],
    "put_back": [
        ("(shape)", "(shape).tolist()", "of numbers, not a list"),
        (".reshape(shape)", ".astype(str)", "of numbers, not a ndarray"),
        (".reshape(shape)", ".reshape(shape[0], -1)", "the shape of entry"),
        (WHOLE, f"np.sort({WHOLE})", "entry 'array'"),
        ("concatenate", "stack", "different lengths"),
        ("concatenate", "array", "different lengths"),
    ],
    "fit_cost": [
        ("a, 1 / slope", "a, 1 / slope, 0", "return two numbers"),
        ("a, 1 / slope", "seconds.min(), 1 / slope", "entry 'a' of fit_cost("),
    ],
    "free_row": [
        ("len(reading)", "is 1, not 0"),
        ("len(taken) + 1", "len(taken)", "look at one more"),
        (FREE, "next(r for r in range(len(taken)) if r not in taken)", "at one more"),
    ],
    "top_k": [
        (SENT, "return indices, values", "return three rows of numbers"),
        (SENT, "return indices, values, [new_error]", "return three rows of numbers"),
        (SENT, "return values, indices, new_error", "values there?"),
        (SENT, "return np.isin(range(len(total)), indices), values, total", "mask"),
        (SENT, "return indices, values, new_error[:-1]", "one number for each"),
        (SENT, "return indices, total, new_error", "you send 2 indices and 12"),
        (SENT, "return indices, values, new_error / 2", "entry 'new_error'"),
        (LARGEST, f"{LARGEST} * 0", "indices must be 2 different places"),
        (LARGEST, f"{LARGEST} - len(total)", "indices must be 2 different places"),
        (
            LARGEST,
            "np.flatnonzero(np.abs(total) >= np.sort(np.abs(total))[-k])",
            "you send 4 indices and 4 values",
        ),
        ("= total[indices]", "= total[indices].astype(np.float32)", "rounds off"),
        (
            "new_error = total.copy()",
            "new_error = vars(top_k).setdefault(len(total), 0 * total)\n"
            "    new_error[:] = total",
            "the very same array",
        ),
    ],
    "best_servers": [
        ("range(1,", "range(", "it divided by 0"),
        ("* per_copy", "* round(per_copy)", "best_servers("),
    ],
}


class HereAsAnArray:
    def __init__(self, num_workers):
        self.here = np.zeros(num_workers, bool)

    def arrive(self, worker):
        self.here[worker] = True
        if not self.here.all():
            return []
        everyone = np.flatnonzero(self.here)
        self.here[:] = False
        return everyone


class ClocksInAnArray:
    def __init__(self, num_workers, s):
        self.s, self.clocks = s, np.zeros(num_workers, int)
        self.here = np.zeros(num_workers, bool)

    def push(self, worker):
        self.clocks[worker] += 1
        self.here[worker] = True
        go = self.here & (self.clocks - self.clocks.min() <= self.s)
        self.here &= ~go
        return np.flatnonzero(go)


class AllWhenTheSlowestMoves:
    def __init__(self, num_workers, s):
        self.s, self.clocks, self.waiting = s, [0] * num_workers, []

    def push(self, worker):
        before = min(self.clocks)
        self.clocks[worker] += 1
        self.waiting.append(worker)
        if self.clocks[worker] - min(self.clocks) > self.s:
            return ()
        go = self.waiting if min(self.clocks) > before else [worker]
        self.waiting = [w for w in self.waiting if w not in go]
        return tuple(sorted(go))


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


def with_polyfit(sizes, seconds):
    slope, a = np.polyfit(sizes, seconds, 1, w=1 / seconds)
    return np.array([a, 1 / slope])


def normal_equations(sizes, seconds):
    u, v = 1 / seconds, sizes / seconds
    a, slope = np.linalg.solve([[u @ u, u @ v], [u @ v, v @ v]], [u.sum(), v.sum()])
    return [a, 1 / slope]


def free_slots(newest, reading):
    row = 0
    while row == newest or row in reading.values():
        row += 1
    return row


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


RIGHT = {
    "Barrier": [HereAsAnArray, (CAME, "range(self.num_workers), []")],
    "Window": [ClocksInAnArray, AllWhenTheSlowestMoves],
    "scale_update": [
        on_copies,
        "update if staleness < 2 else [np.divide(part, staleness) for part in update]",
        "[np.float32(1 / max(staleness, 1)) * part for part in update]",
    ],
    "round_time": [
        fewer_each_time,
        "np.partition(compute_times, -1 - backup_workers)[-1 - backup_workers]",
    ],
    "balance": [with_a_heap, from_lists_of_keys],
    "cut": [by_what_is_left, "np.array_split(weight.ravel(), num_servers)"],
    "put_back": [by_filling, "np.reshape(np.hstack(parts), shape)"],
    "fit_cost": [with_polyfit, normal_equations],
    "free_row": [
        free_slots,
        "np.setdiff1d(np.arange(22), [newest, *reading.values()])[0]",
    ],
    "top_k": [with_lists, what_the_server_reads],
    "best_servers": [in_a_loop, in_numpy],
}
TestAnswers = all_tests_of(REFUSED, RIGHT, waiting, many_servers, messages, fewer_bytes)
