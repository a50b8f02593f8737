"""Names from outside made printable: a line of plain text for any file name, different for different names."""

import hashlib
import re

ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt\\])")
BYTES = range(0xDC80, 0xDD00)  # how Python holds bytes of a file name that are not UTF-8
BLANK = r"\x20"
LOGIN = re.compile(r"(://)[^/\s@]*@")


def printable(name: str) -> str:
    r"""A name as it is where it is printable, else with `\n`, `\xe9` (a byte), `\u200d` (a character) for what is not.

    Outer blanks and what a locator would take for something else (`youtube:`, `~/`) are escaped too, and so are the
    backslashes of a name that looks escaped: two names never become one.
    """
    inner = name.strip(" ")
    if not (name.isprintable() and inner == name) or ESCAPE.search(name):
        start = len(name) - len(name.lstrip(" "))
        before, after = BLANK * start, BLANK * (len(name) - start - len(inner))
        name = before + "".join(map(escaped, inner)) + after
    return no_scheme(name)


def one_line(text: str) -> str:
    """A text for a message: what is not printable in it is escaped."""
    return "".join(char if char.isprintable() else escaped(char) for char in text)


def no_scheme(name: str) -> str:
    """A file name that begins like `youtube:ID` or the home folder, distinguished from these."""
    if name[:8].lower() == "youtube:":
        return f"{name[:7]}\\x3a{name[8:]}"
    return f"\\x7e{name[1:]}" if name.startswith("~/") else name


def escaped(char: str) -> str:
    """One character of a name that is escaped."""
    code = ord(char)
    if code in BYTES:
        return f"\\x{code - 0xDC00:02x}"
    if 0x80 <= code <= 0xFF and not char.isprintable():
        return f"\\u{code:04x}"  # \x85 would be the byte
    return char if char.isprintable() and char != "\\" else char.encode("unicode_escape").decode()


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters; one that is cut ends in a hash of the whole."""
    if len(text) <= most:
        return text
    whole = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{text[: most - 14]}… {whole}"


def without_login(text: str) -> str:
    """A text without the users and passwords of the addresses in it, and without what follows a `?`."""
    return LOGIN.sub(r"\1", text).partition("?")[0]
