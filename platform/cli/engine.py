"""Where a command does its work: on this machine, or on a Ray cluster."""

from contextlib import nullcontext

import click


def cluster_of(engine, ray_address):
    """Connect to the cluster that is asked for.

    Args:
        engine: Of `ENGINES`.
        ray_address: That of `RAY_ADDRESS`.

    Returns:
        A context manager for a `RayCluster`, or for None on this machine.

    Raises:
        click.UsageError: If there is an address, but no cluster is asked for.
    """
    if engine == "ray":
        from recolor.datasets.ray_cluster import ray_cluster

        return ray_cluster(ray_address)
    if ray_address:
        raise click.UsageError("--ray-address is for --engine ray")
    return nullcontext()
