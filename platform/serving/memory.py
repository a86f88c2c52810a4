"""Whether memory was too small for a picture."""


def out_of_memory(error: Exception) -> bool:
    """Tell whether memory was too small: each framework has errors of its own for that."""
    names = {cls.__name__ for cls in type(error).__mro__}
    return bool(names & {"MemoryError", "ResourceExhaustedError", "OutOfMemoryError"}) or (
        "RESOURCE_EXHAUSTED" in str(error)
    )
