"""The model kinds by name. A new one is a file of its own and a line here; see `kind.ModelKind`."""

from recolor.datasets.catalog import Catalog

MODELS = Catalog(
    {
        "regression": "recolor.models.regression:Regression",
        "classification": "recolor.models.classification:Classification",
        "unet": "recolor.models.unet:UNet",
    }
)

# Those of the paper, of which its experiment and the demo consist.
PAPER = ("regression", "classification")
# Comes with recolor, trained; what `recolor apply` takes where there is no champion.
DEFAULT = "classification"
