"""A cluster's nodes: which have CPUs left, and what is started on one of them."""

import socket
from contextlib import suppress

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ps_helpers.aggregator import Aggregator
from ps_helpers.sockets import SocketGate

CONNECT_SECONDS = 10  # in which a node takes a connection
ANSWER_SECONDS = 120  # a server or an aggregator that takes longer is given up
AggregatorActor = ray.remote(num_cpus=0)(Aggregator)


@ray.remote(num_cpus=0)
class SocketGateActor(SocketGate):
    """A gate that listens at its node's address in the cluster."""

    def __init__(self, keys, values, parts):
        super().__init__(keys, values, parts, ray.util.get_node_ip_address())


def pinned_to(node):
    """Return the option that places an actor or a task on a node."""
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


def answers(node):
    """Return whether a node takes a connection: Ray declares it dead much later."""
    place = node["NodeManagerAddress"], node["NodeManagerPort"]
    with suppress(OSError), socket.create_connection(place, CONNECT_SECONDS):
        return True
    return False


def cpus_of_nodes():
    """Return {node: its CPUs} for the cluster's nodes that answer and have some."""
    found = sorted(ray.nodes(), key=lambda node: node["NodeManagerAddress"])
    found = [node for node in found if node["Alive"] and answers(node)]
    cpus = {node["NodeID"]: node["Resources"].get("CPU", 0) for node in found}
    return {node: number for node, number in cpus.items() if number >= 1}


def cpus_left(cpus):
    """Return how many workers find a CPU on nodes that have so many left."""
    return sum(max(0, int(number)) for number in cpus.values())


def has_gone(aggregator):
    """Return whether an aggregator has died, or lost its line to a server."""
    try:
        ray.get(aggregator.address.remote(), timeout=ANSWER_SECONDS)
    except ray.exceptions.RayTaskError as error:
        return isinstance(error.cause, EOFError | OSError)
    except ray.exceptions.RayError:
        return True
    return False


def spread_over(cpus, num_workers):
    """Return a node for each worker: the one that has the most CPUs left."""
    left, chosen = dict(cpus), []
    for _ in range(num_workers):
        chosen.append(max(left, key=left.get))
        left[chosen[-1]] -= 1
    return chosen
