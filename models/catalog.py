"""The model kinds by name, as the command line and the model registry know them."""

from recolor.models.classification import Classification
from recolor.models.regression import Regression

MODELS = {kind.name: kind for kind in (Regression, Classification)}
