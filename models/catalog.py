"""The model kinds by name. A new one is a file of its own and a line here; see `kind.ModelKind`."""

from recolor.datasets.catalog import Catalog


class ModelKinds(Catalog):
    """Model kinds by name, and their variants, as ``unet+frozen``, which are not counted."""

    def __getitem__(self, name: str):
        kind, *variants = name.split("+")
        found = super().__getitem__(kind)
        return found.variant(*variants) if variants else found

    def __contains__(self, name: object) -> bool:
        kind, *variants = str(name).split("+")
        if not super().__contains__(kind):
            return False
        return not variants or set(variants) <= set(self[kind].variants)

    def near(self, wrong: str) -> list[str]:
        """Return the variants of the kind that a wrong name begins with; all kinds if none."""
        kind = wrong.split("+")[0]
        variants = self[kind].variants if kind in list(self) else ()
        return [f"{kind}+{variant}" for variant in variants] or list(self)


MODELS = ModelKinds(
    {
        "regression": "recolor.models.paper:Regression",
        "classification": "recolor.models.paper:Classification",
        "unet": "recolor.models.unet:UNet",
        "restoration": "recolor.models.restoration:Restoration",
    }
)

# Length of the paper's embedding.
EMBEDDING_SIZE = 1000
# Those of the paper, of which its experiment and the demo consist.
PAPER = ("regression", "classification")
# What a network is for: from a gray picture to a colored one, or from an aged one to a new one.
RECOLOR, RESTORE = "recolor", "restore"
# The bundled network of each task: what `recolor apply` takes unless the champion is better.
BUNDLED = {RECOLOR: "unet", RESTORE: "restoration"}
DEFAULT = BUNDLED[RECOLOR]
