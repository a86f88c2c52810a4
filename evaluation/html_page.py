"""Markdown as an HTML page that needs no other file."""

import base64
import mimetypes
import re
from html import escape
from pathlib import Path

from markdown import markdown

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 0.85rem; display: block; overflow-x: auto; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; }
tbody tr:hover { background: #f5f5f5; }
img { max-width: 100%; height: auto; }
code { font-size: 0.9em; }
"""


def page(text: str, folder: Path) -> str:
    """Render Markdown as a whole page, its pictures inside.

    Args:
        text: The Markdown; its first line is the title, after ``# ``.
        folder: Where the pictures lie that it shows by ``![words](name)``.
    """
    title = escape(text.split("\n", 1)[0].lstrip("# "))
    body = markdown(text, extensions=["tables"])

    def inline(match: re.Match) -> str:
        path = folder / match[1]
        data = base64.b64encode(path.read_bytes()).decode()
        return f'src="data:{mimetypes.guess_type(path.name)[0]};base64,{data}"'

    body = re.sub(r'src="([^":]+)"', inline, body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )
