"""`recolor serve`."""

from pathlib import Path

import click

from recolor.platform.cli.libraries import check_backend, quiet_mlflow
from recolor.platform.cli.messages import say, warn
from recolor.platform.cli.options import (
    INPUT_FILE,
    LIBRARY,
    MODEL,
    OUTPUT_FILE,
    TEXT,
    Place,
    Repeated,
    Several,
    find_model,
)
from recolor.platform.cli.output import printable
from recolor.platform.server.limits import MEGABYTE, Limits

DEFAULT_VOTES = Path("votes.csv")


@click.command()
@MODEL
@click.option(
    "--compare",
    cls=Several,
    nargs=2,
    type=TEXT,
    metavar="A B",
    help="Serve another page instead, on which people say which of two versions of a poster is "
    "better, without knowing which is which. A and B are models, as --model names them, or "
    "recipes: JSON, or results with a recipe inside. When the server ends, it prints who won.",
)
@click.option(
    "--posters",
    type=Place(),
    metavar="FOLDER",
    help="The posters of --compare: a folder, which is searched whole, or one image.",
)
@click.option(
    "--votes",
    type=OUTPUT_FILE,
    metavar="FILE.csv",
    help="What the votes of --compare are appended to; who has voted on a poster is not asked "
    f"again.  [default: {DEFAULT_VOTES}]",
)
@click.option(
    "--recipe",
    type=INPUT_FILE,
    metavar="FILE",
    help="How models of --compare recolor: JSON, or a result with a recipe inside.  [default: as "
    "`recolor apply` does]",
)
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
@click.option(
    "--profile",
    cls=Repeated,
    type=INPUT_FILE,
    metavar="FILE.icc",
    help="ICC profile of a printer and paper, in CMYK or RGB: the page shows how posters come out "
    "in its colors, and marks what can't be printed. May be repeated.",
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
    model,
    compare,
    posters,
    votes,
    recipe,
    host,
    allowed_host,
    profile,
    port,
    library,
    threads,
    queue,
    timeout,
    max_body,
    max_pixels,
    memory,
):
    """Serve a model: a page to recolor posters on, and an API.

    The page is at /, and its API is described at /openapi.json: POST /recolor takes a picture's
    file and answers with another. /invocations is that of MLflow's scoring server. Ctrl-C ends it.
    """
    from recolor.platform.printing.proof import proofs_of
    from recolor.platform.server.running import bound, return_large_blocks, run

    return_large_blocks()
    limits = Limits(
        body=max_body * MEGABYTE,
        pixels=int(max_pixels * 1e6),
        threads=threads or Limits.threads,
        queue=queue,
        seconds=timeout,
        memory=memory * MEGABYTE,
    )
    if compare and profile:
        raise click.UsageError("--profile is for the page without --compare")
    # Before the seconds that loading a model takes.
    proofs = proofs_of(profile)
    address = bound(host, port)
    check_backend()
    names = (host, *allowed_host)
    if compare:
        compared = _comparison(compare, posters, votes, model, recipe, library, limits)
        from recolor.platform.server.compare import comparing_application

        served = comparing_application(compared, limits, names)
        what = f"{' or '.join(compare)}, on {compared.count} posters"
    else:
        if posters or votes or recipe:
            raise click.UsageError("--posters, --votes and --recipe are for --compare")
        chosen = find_model(model, library)
        # The scoring server's routes are MLflow's.
        quiet_mlflow()
        from recolor.platform.server.application import application

        # Before requests come, and so that it is said at once if it can't be loaded.
        _ = chosen.painter.network
        served, what = application(chosen, limits, names, proofs), chosen.about
    shown = f"[{host}]" if ":" in host else host
    say(printable(f"serving {what}"))
    say(f"open http://{shown}:{address.getsockname()[1]}; Ctrl-C ends it")
    run(served, address, limits)
    say("ended")
    if compare:
        for line in compared.tally().describe():
            click.echo(printable(line))


def _comparison(compare, posters, votes, model, recipe, library, limits):
    """Check all that is typed, and then load the models of a `Comparison`."""
    from recolor.datasets.images import find_images, is_image
    from recolor.datasets.palettes.library import load_library
    from recolor.models.decoding.options import DEFAULT_DECODING
    from recolor.models.recipe import Recipe
    from recolor.platform.registry.sources import check_source
    from recolor.platform.server.compare import Candidate, Comparison
    from recolor.platform.server.votes import Votes

    if not posters:
        raise click.UsageError("--compare needs posters: --posters FOLDER")
    if compare[0] == compare[1]:
        raise click.UsageError("--compare: A and B are the same")
    schemes = load_library(library)
    recipes = {
        name: Recipe.read(name, schemes)
        for name in compare
        if name.lower().endswith(".json") or is_image(name)
    }
    if model and not recipes:
        raise click.UsageError("--compare names the models: --model is for recipes there")
    if recipe and len(recipes) == len(compare):
        raise click.UsageError("--compare names the recipes: --recipe is for models there")
    sources = {name: model if name in recipes else name for name in compare}
    for source in filter(None, sources.values()):
        check_source(source)
    shared = recipe and Recipe.read(recipe, schemes)
    files = dict(find_images([posters]))
    kept = Votes(votes or DEFAULT_VOTES)
    models = {source: find_model(source, library) for source in dict.fromkeys(sources.values())}
    candidates = []
    for name in compare:
        told, painter = recipes.get(name, shared), models[sources[name]].painter
        if name in recipes and (differences := told.differences(painter)):
            said = f"{name} was made by {', '.join(differences)}: results may differ"
            warn(printable(said))
        decoding = told.decoding(schemes) if told else DEFAULT_DECODING
        _ = painter.network
        painter.check(decoding)
        candidates.append(Candidate(name, painter, decoding))
    return Comparison(tuple(candidates), files, kept, limits)
