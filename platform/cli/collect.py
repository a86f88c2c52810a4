"""`recolor collect`."""

from collections import Counter

import click

from recolor.platform.cli.errors import interrupted
from recolor.platform.cli.messages import say
from recolor.platform.cli.options import INPUT_FILE, OUTPUT, TEXT, Finite
from recolor.platform.cli.output import printable, progress_bar


@click.command(context_settings={"show_default": True})
@click.argument("csv", type=INPUT_FILE)
@click.option("--out", type=OUTPUT, required=True, help="Folder to write to.")
@click.option("--years", type=TEXT, metavar="FIRST-LAST", help="Only posters of 2000-2020, say.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Download at most N posters.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, help="Requests at once.")
@click.option(
    "--rate", type=Finite(0.001, 1000), default=10.0, help="Most requests a second to each host."
)
@click.option(
    "--timeout",
    type=Finite(0.1, 3600),
    metavar="SECONDS",
    default=30.0,
    help="Longest time for a request, to the end of the poster.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 20),
    default=4,
    help="Further tries when a server is busy or gone.",
)
@click.option(
    "--max-size",
    type=click.IntRange(1, 800),
    metavar="MB",
    default=20,
    help="Largest file of a poster.",
)
@click.option(
    "--allow-private",
    is_flag=True,
    help="Also ask servers that are not on the public Internet, as on this machine.",
)
def collect(csv, out, years, limit, concurrency, rate, timeout, retries, max_size, allow_private):
    """Download the posters of a list.

    CSV is a file whose first line names its columns. A poster's URL is in the column Poster, image,
    url or link. Optional columns are imdbId or id, Title, and year, which may also stand at the end
    of a title: "Heat (1995)".

    posters.csv in the folder says what has become of each row. After an interruption, the same
    command continues, and retries what failed for the moment. Proxies are not used. The posters
    stay the property of their owners.
    """
    from recolor.platform.collection.collecting import DONE
    from recolor.platform.collection.collecting import collect as collect_posters
    from recolor.platform.collection.fetching import FetchPolicy
    from recolor.platform.collection.poster_list import ListError, parse_years, read_list
    from recolor.platform.collection.public_network import is_public

    rows = read_list(csv)
    if years:
        wanted = parse_years(years)
        rows = [row for row in rows if row.year in wanted]
    if not rows:
        raise ListError(f"{csv} has no posters" + (f" of {years}" if years else ""))
    allowed = (lambda address: True) if allow_private else is_public
    policy = FetchPolicy(concurrency, rate, timeout, retries, max_size, allowed)
    with progress_bar(None, "collecting") as bar:

        def show(done, total, failed):
            bar.total = total
            bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
            bar.update(done - bar.n)

        try:
            results = collect_posters(rows[:limit], out, policy, show)
        except KeyboardInterrupt as error:
            raise interrupted(error, ": run the same command again to continue") from None
    failed = [result for result in results if result.status != DONE]
    posters = len(results) - len(failed)
    said = f"{posters or 'no'} poster{'' if posters == 1 else 's'} in {out}"
    if failed:
        reasons = Counter(result.status.partition(":")[0] for result in failed)
        said += f", {len(failed)} failed ("
        said += ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) + ")"
    if later := sum(not result.final for result in failed):
        said += f"; the same command tries {later} of them again"
    if not posters:
        raise click.ClickException(printable(said))
    say(printable(said))
