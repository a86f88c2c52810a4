"""Python imports this at its start where the folder is in PYTHONPATH: commands know `small`."""

from recolor.models.catalog import MODELS

# By its place, since it needs Keras, whose import takes seconds.
MODELS._places["small"] = "small_network:Small"
