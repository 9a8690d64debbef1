"""What the checks share: the C files of the repository and their text without comments and strings."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def c_files():
    """All C sources and headers, as paths relative to the repository."""
    return sorted(p.relative_to(ROOT) for top in ("include", "src", "tests", "bench", "examples")
                  for p in (ROOT / top).rglob("*.[ch]"))


def code_of(text):
    """The text with comments and the insides of strings blanked out; line numbers stay."""

    def blank(match):
        token = match[0]
        newlines = "\n" * token.count("\n")
        return token[0] + token[-1] if token[0] in "\"'" else " " + newlines

    return TOKEN.sub(blank, text)
