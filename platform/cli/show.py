"""`recolor show`."""

from json import dumps

import click

from recolor.platform.cli.options import INPUT_FILE
from recolor.platform.cli.output import printable


@click.command()
@click.argument("files", nargs=-1, required=True, type=INPUT_FILE)
@click.option("--json", is_flag=True, help="Print JSON: the recipes by file.")
def show(files, json):
    """Print how results were made.

    FILES are results of `recolor apply` or `recolor serve`, which have their recipes inside, or
    recipes as JSON. The exit status is 1 if one has no recipe that can be read.
    """
    from recolor.models.recipe import Recipe, RecipeError

    found, missing = {}, []
    for file in files:
        try:
            found[str(file)] = Recipe.read(file)
        except RecipeError as error:
            missing.append(printable(str(error)))
    if json:
        plain = {file: recipe.model_dump(mode="json") for file, recipe in found.items()}
        click.echo(dumps(plain, indent=2))
    else:
        for file, recipe in found.items():
            click.echo(printable(file))
            for line in recipe.describe():
                click.echo(f"  {printable(line)}")
    for message in missing[:-1]:
        click.echo(f"Error: {message}", err=True)
    if missing:
        raise click.ClickException(missing[-1])
