"""Wrong and right answers to the exercises of notebook 05."""

import heapq
import itertools
import zlib

import numpy as np
from test_exercises import Answers
from test_exercises_in_process import JUNK

answers = Answers()
wrong, right = answers.wrong, answers.right


# balance(sizes, num_servers)


def place(order, sizes, num_servers, choose=lambda loads: loads.index(min(loads))):
    loads, server_of = [0] * num_servers, {}
    for key in order:
        server_of[key] = choose(loads)
        loads[server_of[key]] += sizes[key]
    return server_of


def largest_first(sizes):
    return sorted(sizes, key=sizes.get, reverse=True)


@wrong("balance", "prints instead of returning", words="returned nothing; end it")
def _(sizes, num_servers):
    print(place(largest_first(sizes), sizes, num_servers))


@wrong("balance", "returns the loads", words="dictionary {key: server}; what came is")
def _(sizes, num_servers):
    loads = [0] * num_servers
    for key in largest_first(sizes):
        loads[loads.index(min(loads))] += sizes[key]
    return loads


@wrong("balance", "returns keys by server", words="turn it round, {key: server}")
def _(sizes, num_servers):
    server_of = place(largest_first(sizes), sizes, num_servers)
    return {s: [k for k in sizes if server_of[k] == s] for s in range(num_servers)}


@wrong("balance", "returns after the first key", words="has no server: place all")
def _(sizes, num_servers):
    return place(largest_first(sizes)[:1], sizes, num_servers)


@wrong("balance", "returns sizes", words="has the sizes; it shall have the servers")
def _(sizes, num_servers):
    return {key: sizes[key] for key in largest_first(sizes)}


@wrong("balance", "returns lists", words="one whole number")
def _(sizes, num_servers):
    server_of = place(largest_first(sizes), sizes, num_servers)
    return {key: [server] for key, server in server_of.items()}


@wrong("balance", "counts servers from 1", words="the first server is number 0")
def _(sizes, num_servers):
    server_of = place(largest_first(sizes), sizes, num_servers)
    return {key: server + 1 for key, server in server_of.items()}


@wrong("balance", "returns the load", words="there is no server 17")
def _(sizes, num_servers):
    loads, found = [0] * num_servers, {}
    for key in largest_first(sizes):
        server = loads.index(min(loads))
        loads[server] += sizes[key]
        found[key] = loads[server]
    return found


@wrong("balance", "never adds to the loads", words="all are on server 0: do you add to")
def _(sizes, num_servers):
    loads = [0] * num_servers
    return {key: loads.index(min(loads)) for key in largest_first(sizes)}


@wrong("balance", "takes turns", words="by turns, or by numbers of keys")
def _(sizes, num_servers):
    return {key: i % num_servers for i, key in enumerate(largest_first(sizes))}


@wrong("balance", "counts keys", words="by turns, or by numbers of keys")
def _(sizes, num_servers):
    return place(largest_first(sizes), dict.fromkeys(sizes, 1), num_servers)


@wrong("balance", "takes turns, unsorted", words="by turns: look at their sizes")
def _(sizes, num_servers):
    return dict(zip(sizes, itertools.cycle(range(num_servers)), strict=False))


@wrong(
    "balance",
    "takes turns, smallest first",
    words="take the largest first, not the smallest",
)
def _(sizes, num_servers):
    order = sorted(sizes, key=sizes.get)
    return {key: i % num_servers for i, key in enumerate(order)}


@wrong("balance", "takes turns by name", words="by turns: look at their sizes")
def _(sizes, num_servers):
    return {key: i % num_servers for i, key in enumerate(sorted(sizes))}


@wrong(
    "balance",
    "sorts the smallest first",
    words="take the largest first, not the smallest",
)
def _(sizes, num_servers):
    return place(sorted(sizes, key=sizes.get), sizes, num_servers)


@wrong("balance", "does not sort", words="sort the keys by size first")
def _(sizes, num_servers):
    return place(sizes, sizes, num_servers)


@wrong("balance", "sorts by name", words="you sorted by the keys' names")
def _(sizes, num_servers):
    return place(sorted(sizes), sizes, num_servers)


@wrong("balance", "sorts by name, backwards", words="you sorted by the keys' names")
def _(sizes, num_servers):
    return place(sorted(sizes, reverse=True), sizes, num_servers)


@wrong("balance", "takes the most loaded", words="all are on server 0: do you add to")
def _(sizes, num_servers):
    return place(largest_first(sizes), sizes, num_servers, lambda x: x.index(max(x)))


@wrong("balance", "takes the last of equals", words="take the first, not the last")
def _(sizes, num_servers):
    return place(
        largest_first(sizes),
        sizes,
        num_servers,
        lambda loads: min(range(num_servers), key=lambda s: (loads[s], -s)),
    )


@wrong("balance", "hashes", words="belongs on server")
def _(sizes, num_servers):
    return {key: zlib.crc32(key.encode()) % num_servers for key in sizes}


@wrong("balance", "empties sizes", words="it changed sizes")
def _(sizes, num_servers):
    order = largest_first(sizes)
    return place(order, {key: sizes.pop(key) for key in order}, num_servers)


@wrong("balance", "has a fixed number of servers", words="use num_servers")
def _(sizes, num_servers):
    return place(largest_first(sizes), sizes, 3 if num_servers == 3 else 1)


@wrong("balance", "numbers servers by size", words="belongs on server")
def _(sizes, num_servers):
    return {key: sizes[key] % num_servers for key in sizes}


@wrong("balance", "returns the greatest key too", words="keys in it that were not")
def _(sizes, num_servers):
    return place(largest_first(sizes), sizes, num_servers) | {"total": 0}


@right("balance", "in a loop")
def _(sizes, num_servers):
    return place(largest_first(sizes), sizes, num_servers)


@right("balance", "with a heap")
def _(sizes, num_servers):
    heap, found = [(0, server) for server in range(num_servers)], {}
    for size, key in sorted(((s, k) for k, s in sizes.items()), reverse=True):
        load, server = heapq.heappop(heap)
        found[key] = server
        heapq.heappush(heap, (load + size, server))
    return found


@right("balance", "in NumPy, in the order given")
def _(sizes, num_servers):
    loads, found = np.zeros(num_servers), {}
    for key in largest_first(sizes):
        found[key] = np.argmin(loads)
        loads[found[key]] += sizes[key]
    return {key: found[key] for key in sizes}


@right("balance", "with pieces by server")
def _(sizes, num_servers):
    servers = [[] for _ in range(num_servers)]
    for key in largest_first(sizes):
        min(servers, key=lambda keys: sum(map(sizes.get, keys))).append(key)
    return {key: s for s, keys in enumerate(servers) for key in keys}


# cut(weight, num_servers)


def ends_of(size, num_servers):
    return [size * s // num_servers for s in range(num_servers + 1)]


@wrong("cut", "prints instead of returning", words="returned nothing; end it")
def _(weight, num_servers):
    print(np.array_split(weight.ravel(), num_servers))


@wrong("cut", "returns after the first part", words="a list of parts, not one array")
def _(weight, num_servers):
    for part in np.array_split(weight.ravel(), num_servers):
        return part


@wrong(
    "cut", "loses the remainder", words="the last 2 of 10 elements and 4 servers are"
)
def _(weight, num_servers):
    flat, size = weight.reshape(-1), weight.size // num_servers
    return [flat[s * size : (s + 1) * size] for s in range(num_servers)]


@wrong("cut", "gives the remainder to the last", words="[2, 2, 2, 4] for 10 elements")
def _(weight, num_servers):
    flat, size = weight.reshape(-1), weight.size // num_servers
    ends = [s * size for s in range(num_servers)] + [weight.size]
    return [flat[a:b] for a, b in itertools.pairwise(ends)]


@wrong("cut", "rounds up", words="[3, 3, 3, 1] for 10 elements")
def _(weight, num_servers):
    flat, size = weight.reshape(-1), -(-weight.size // num_servers)
    return [flat[s * size : (s + 1) * size] for s in range(num_servers)]


@wrong("cut", "deals the elements out", words="each is one range of neighbours")
def _(weight, num_servers):
    return [weight.reshape(-1)[s::num_servers] for s in range(num_servers)]


@wrong("cut", "goes backwards", words="not in order")
def _(weight, num_servers):
    return np.array_split(weight.ravel(), num_servers)[::-1]


@wrong("cut", "lets the ends overlap", words="a slice a:b ends before b")
def _(weight, num_servers):
    flat = weight.reshape(-1)
    ends = ends_of(flat.size, num_servers)
    return [flat[a : b + 1] for a, b in itertools.pairwise(ends)]


@wrong("cut", "cuts rows", words="each part is 1-D")
def _(weight, num_servers):
    return np.array_split(weight, num_servers)


@wrong("cut", "flattens with a copy", words="the parts are copies")
def _(weight, num_servers):
    return np.array_split(weight.flatten(), num_servers)


@wrong("cut", "copies each part", words="the parts are copies")
def _(weight, num_servers):
    return [part.copy() for part in np.array_split(weight.ravel(), num_servers)]


@wrong("cut", "makes float64", words="float32, the parts float64")
def _(weight, num_servers):
    flat = np.array(weight.ravel().tolist())
    return np.array_split(flat, num_servers)


@wrong("cut", "makes lists", words="each part is an array")
def _(weight, num_servers):
    return [part.tolist() for part in np.array_split(weight.ravel(), num_servers)]


@wrong("cut", "takes columns first", words="not in order")
def _(weight, num_servers):
    return np.array_split(weight.ravel("F"), num_servers)


@wrong("cut", "always makes four", words="for 2 servers 4 parts came")
def _(weight, num_servers):
    return np.array_split(weight.ravel(), 4)


@wrong("cut", "makes num_servers cuts", words="for 4 servers 5 parts came")
def _(weight, num_servers):
    return np.array_split(weight.ravel(), num_servers + 1)


@wrong("cut", "demands an equal division", words="it raised ValueError")
def _(weight, num_servers):
    return np.split(weight.ravel(), num_servers)


@wrong("cut", "leaves out the empty parts", words="for 7 servers 5 parts came")
def _(weight, num_servers):
    return [p for p in np.array_split(weight.ravel(), num_servers) if p.size]


@wrong("cut", "steps by a size of 0", words="it raised ValueError: range() arg 3")
def _(weight, num_servers):
    flat, size = weight.reshape(-1), weight.size // num_servers
    starts = list(range(0, size * num_servers, size))
    return np.split(
        flat,
        [start + min(i, flat.size % num_servers) for i, start in enumerate(starts)][1:],
    )


@wrong("cut", "empties the weight", words="it changed the array")
def _(weight, num_servers):
    parts = [part.copy() for part in np.array_split(weight.ravel(), num_servers)]
    weight[:] = 0
    return parts


@wrong("cut", "starts at element 1", words="only 9 elements are in a part")
def _(weight, num_servers):
    return np.array_split(weight.ravel()[1:], num_servers)


@right("cut", "by array_split")
def _(weight, num_servers):
    return np.array_split(weight.ravel(), num_servers)


@right("cut", "by ends")
def _(weight, num_servers):
    flat = weight.reshape(-1)
    ends = ends_of(flat.size, num_servers)
    return tuple(flat[a:b] for a, b in itertools.pairwise(ends))


@right("cut", "the longer parts last")
def _(weight, num_servers):
    flat, start, parts = weight.reshape(-1), 0, []
    small, extra = divmod(flat.size, num_servers)
    for server in range(num_servers):
        stop = start + small + (server >= num_servers - extra)
        parts.append(flat[start:stop])
        start = stop
    return parts


@right("cut", "by what is left")
def _(weight, num_servers):
    rest, parts = weight.reshape(-1), []
    for servers_left in range(num_servers, 0, -1):
        size = len(rest) // servers_left
        parts.append(rest[:size])
        rest = rest[size:]
    return parts


# put_back(parts, shape)


@wrong("put_back", "prints instead of returning", words="returned nothing; end it")
def _(parts, shape):
    print(np.concatenate(parts).reshape(shape))


@wrong("put_back", "returns the parts", words="return one array; what came is of type")
def _(parts, shape):
    return list(parts)


@wrong("put_back", "forgets the shape", words="the shape (10,), not (2, 5): reshape")
def _(parts, shape):
    return np.concatenate(parts)


@wrong("put_back", "turns the shape round", words="the shape (5, 2), not (2, 5)")
def _(parts, shape):
    return np.concatenate(parts).reshape(shape[::-1])


@wrong("put_back", "makes a matrix always", words="the shape (3, 4), not (3, 2, 2)")
def _(parts, shape):
    return np.concatenate(parts).reshape(shape[0], -1)


@wrong("put_back", "takes the first part only", words="8 of 10 elements are missing")
def _(parts, shape):
    return parts[0]


@wrong("put_back", "fills a row of zeros", words="these are not the parts' elements")
def _(parts, shape):
    whole = np.zeros(shape, parts[0].dtype)
    whole.reshape(-1)[: len(parts[0])] = parts[0]
    return whole


@wrong("put_back", "repeats the first part", words="these are not the parts' elements")
def _(parts, shape):
    return np.resize(parts[0], shape)


@wrong("put_back", "goes backwards", words="reverse order: keep theirs")
def _(parts, shape):
    return np.concatenate(parts[::-1]).reshape(shape)


@wrong("put_back", "sorts by length", words="not where they belong")
def _(parts, shape):
    return np.concatenate(sorted(parts, key=len)).reshape(shape)


@wrong("put_back", "fills columns first", words="not where they belong")
def _(parts, shape):
    return np.concatenate(parts).reshape(shape, order="F")


@wrong("put_back", "makes float64", words="float32 and the array is float64")
def _(parts, shape):
    return np.array([x for part in parts for x in part.tolist()]).reshape(shape)


@wrong("put_back", "starts from float64 zeros", words="the array is float64: keep that")
def _(parts, shape):
    return np.concatenate([np.zeros(0), *parts]).reshape(shape)


@wrong("put_back", "stacks", words="it raised ValueError: all input arrays")
def _(parts, shape):
    return np.stack(parts).reshape(shape)


@wrong("put_back", "makes an array of arrays", words="it raised ValueError: setting an")
def _(parts, shape):
    return np.array(parts).reshape(shape)


@wrong("put_back", "makes a list", words="what came is of type list")
def _(parts, shape):
    return np.concatenate(parts).reshape(shape).tolist()


@wrong("put_back", "adds elements", words="there are more elements than in the parts")
def _(parts, shape):
    return np.concatenate([*parts, parts[-1]])


@wrong("put_back", "empties the list", words="it changed the parts or their list")
def _(parts, shape):
    whole = np.zeros(0, np.float32)
    while parts:
        whole = np.append(whole, parts.pop(0))
    return whole.reshape(shape)


@right("put_back", "in one line")
def _(parts, shape):
    return np.concatenate(parts).reshape(shape)


@right("put_back", "by filling")
def _(parts, shape):
    whole, start = np.empty(shape, parts[0].dtype), 0
    flat = whole.reshape(-1)
    for part in parts:
        flat[start : start + len(part)] = part
        start += len(part)
    return whole


@right("put_back", "by hstack")
def _(parts, shape):
    return np.reshape(np.hstack(parts), shape)


@right("put_back", "by appending")
def _(parts, shape):
    whole = parts[0]
    for part in parts[1:]:
        whole = np.append(whole, part)
    return whole.reshape(shape)


# The tests themselves


TestAnswers = answers.tests(JUNK)
