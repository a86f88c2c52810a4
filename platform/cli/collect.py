"""`recolor collect`."""

import itertools

import click

from recolor.platform.cli.errors import interrupted
from recolor.platform.cli.options import INPUT_FILE, OUTPUT, TEXT, Finite
from recolor.platform.cli.printable import printable
from recolor.platform.cli.progress import progress_bar


@click.command()
@click.argument("csv", type=INPUT_FILE)
@click.option("--out", type=OUTPUT, required=True, help="Folder to write to.")
@click.option(
    "--years", type=TEXT, metavar="FIRST-LAST", help="Only posters of these years: 2000-2020."
)
@click.option("--limit", type=click.IntRange(1), help="Only the first posters, so many.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="Requests at once.",
)
@click.option(
    "--rate",
    type=Finite(0.001, 1000),
    default=10.0,
    show_default=True,
    help="Most requests a second to each host.",
)
@click.option(
    "--timeout",
    type=Finite(0.1, 3600),
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    help="Longest time for a request, to the end of the poster.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=4,
    show_default=True,
    help="Further tries where a server is busy or gone.",
)
@click.option(
    "--max-size",
    type=click.IntRange(1, 800),
    metavar="MB",
    default=20,
    show_default=True,
    help="Largest file of a poster.",
)
@click.option(
    "--allow-private",
    is_flag=True,
    help="Also ask servers that are not on the public Internet, as on this machine.",
)
def collect(csv, out, years, limit, concurrency, rate, timeout, retries, max_size, allow_private):
    """Download the posters of a list.

    CSV is a file whose first line names its columns. A poster's address is in the column Poster,
    image, url or link. There may also be imdbId or id, Title and year; a year may as well stand at
    a title's end: "Heat (1995)".

    posters.csv in the folder says what has become of each row. The same command goes on after an
    interruption, and tries again what could not be had for the moment. Proxies of the environment
    are not used. The posters stay the property of their owners.
    """
    from recolor.platform.collection.addresses import anywhere, is_public
    from recolor.platform.collection.collecting import collect as collect_posters
    from recolor.platform.collection.fetching import Manners
    from recolor.platform.collection.poster_list import ListError, Years, read_list

    rows = read_list(csv)
    if years:
        wanted = Years.parse(years)
        rows = (row for row in rows if row.year in wanted)
    # A folder is made only for a list that is one.
    first = next(rows, None)
    if first is None:
        raise ListError(f"{csv} has no posters" + (f" of {wanted}" if years else ""))
    rows = itertools.islice(itertools.chain([first], rows), limit)
    with progress_bar(None, "collecting") as bar:

        def show(done, total, failed):
            bar.total = total
            bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
            bar.update(done - bar.n)

        try:
            collected = collect_posters(
                rows,
                out,
                Manners(concurrency, rate, timeout, retries, max_size),
                anywhere if allow_private else is_public,
                show,
            )
        except KeyboardInterrupt as error:
            raise interrupted(error, ": the same command goes on") from None
    missing = collected.reasons.total()
    posters = "1 poster" if collected.posters == 1 else f"{collected.posters or 'no'} posters"
    said = f"{posters} in {out}"
    if missing:
        reasons = ", ".join(f"{n} {reason}" for reason, n in collected.reasons.most_common())
        said += f", {missing} could not be had ({reasons})"
    if collected.later:
        said += f"; the same command tries {collected.later} of them again"
    if not collected.posters:
        raise click.ClickException(printable(said))
    click.echo(printable(said))
