"""No embedding."""

from recolor.datasets.embeddings.embedding import Embedding


class NoEmbedding(Embedding):
    """Zeros in the place of the paper's 1000 numbers, so that its networks need not differ."""

    name = "none"
    size = 1000

    def network(self, side: int) -> None:
        return None


NONE = NoEmbedding()
