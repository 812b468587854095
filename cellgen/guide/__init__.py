"""The guide: what README leaves out, as pages of Markdown beside this file, for a terminal and for a browser alike."""

from pathlib import Path

from cellgen.diagnostics import nearest

__all__ = ["page", "topics"]

_PAGES = Path(__file__).resolve().parent


def topics() -> dict[str, str]:
    """The topics by name, each with what its page says of itself: its first paragraph, on one line."""
    paths = sorted(_PAGES.glob("*.md"))
    return {path.stem: " ".join(path.read_text(encoding="utf-8").split("\n\n", 2)[1].split()) for path in paths}


def page(topic: str) -> str:
    """The page of a topic, which may be written as pages link it, `laws.md`.

    Raises ValueError, which names the nearest topic, for one that there is not.
    """
    name, known = topic.strip().lower().removesuffix(".md"), topics()
    if name not in known:
        help = nearest(name, known) or f"the topics are {', '.join(known)}"
        raise ValueError(f"no topic `{topic}`: {help}")
    return (_PAGES / f"{name}.md").read_text(encoding="utf-8")
