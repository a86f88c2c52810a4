"""`recolor serve`."""

import click

from recolor.platform.cli.libraries import check_backend, quiet_mlflow
from recolor.platform.cli.messages import say
from recolor.platform.cli.options import LIBRARY, MODEL, TEXT, Repeated, find_model
from recolor.platform.cli.output import printable
from recolor.platform.server.limits import MEGABYTE, Limits


@click.command()
@MODEL
@click.option(
    "--host",
    type=TEXT,
    default="127.0.0.1",
    show_default=True,
    help="Address to serve at; 0.0.0.0 lets other machines in, which nothing guards.",
)
@click.option(
    "--allowed-host",
    cls=Repeated,
    type=TEXT,
    metavar="NAME",
    help="A name to answer under besides localhost, --host, this machine's name and IP addresses: "
    "example.com, *.example.com, or * for any. May be repeated.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=5001, show_default=True)
@LIBRARY
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Pictures that are worked on at once.  [default: one for each core]",
)
@click.option(
    "--queue",
    type=click.IntRange(0, 10_000),
    default=Limits.queue,
    show_default=True,
    help="Requests that may wait; more are answered with 503.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    metavar="SECONDS",
    default=Limits.seconds,
    show_default=True,
    help="Longest time for a request, for its body to arrive, and for its answer to be read.",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 1024),
    metavar="MB",
    default=Limits.body // MEGABYTE,
    show_default=True,
    help="Largest body of a request.",
)
@click.option(
    "--max-pixels",
    type=click.FloatRange(0.01, 100),
    metavar="MEGAPIXELS",
    default=Limits.pixels / 1e6,
    show_default=True,
    help="Largest picture.",
)
@click.option(
    "--memory",
    type=click.IntRange(64, 1_000_000),
    metavar="MB",
    default=Limits.memory // MEGABYTE,
    show_default=True,
    help="For pictures that are being edited; what was not used for longest is forgotten.",
)
def serve(
    model, host, allowed_host, port, library, threads, queue, timeout, max_body, max_pixels, memory
):
    """Serve a model: a page to recolor posters on, and an API.

    The page is at /, and its API is described at /openapi.json: POST /recolor takes a picture's
    file and answers with another. /invocations is that of MLflow's scoring server. Ctrl-C ends it.
    """
    from recolor.platform.server.running import bound, return_large_blocks

    return_large_blocks()
    # Before the seconds that loading a model takes.
    address = bound(host, port)
    check_backend()
    chosen = find_model(model, library)
    # The scoring server's routes are MLflow's.
    quiet_mlflow()
    from recolor.platform.server.application import application
    from recolor.platform.server.running import run

    # Before requests come, and so that it is said at once if it can't be loaded.
    _ = chosen.painter.network
    limits = Limits(
        body=max_body * MEGABYTE,
        pixels=int(max_pixels * 1e6),
        threads=threads or Limits.threads,
        queue=queue,
        seconds=timeout,
        memory=memory * MEGABYTE,
    )
    shown = f"[{host}]" if ":" in host else host
    say(printable(f"serving {chosen.about}"))
    say(f"open http://{shown}:{address.getsockname()[1]}; Ctrl-C ends it")
    run(application(chosen, limits, (host, *allowed_host)), address, limits)
    say("ended")
