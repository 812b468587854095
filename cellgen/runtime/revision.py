"""How new this is, for cells that were built for something newer."""

REVISION = 5  # one more whenever cells may read what was not there before


def needs(revision: int) -> None:
    """Raises ImportError, in the name of this function, if a cell was built for a later revision."""
    if revision > REVISION:
        raise ImportError(f"this is revision {REVISION}, not {revision}", name="needs")
