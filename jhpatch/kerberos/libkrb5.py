"""The values of krb5.conf as the profile functions of libkrb5 return them.

libkrb5 has exported these functions since MIT krb5 1.2 (profile.h). They load no module that a
configuration file names: ``profile_init_path`` refuses a ``module`` line.
"""

from typing import Any, Iterator, List, Optional, Tuple

from jhpatch.namedtuple import NamedTuple

_LIBRARY = "libkrb5.so.3"
_MAX_DEPTH = 16  # of the nested sections that are read
_BASE = -1429577728  # of the error codes of src/util/profile/prof_err.et
_SYNTAX = tuple(_BASE + offset for offset in (13, 14, 15, 16, 17))
_INCLUDE = tuple(_BASE + offset for offset in (31, 32))
_MODULE = tuple(_BASE + offset for offset in (35, 36, 37))
_ENOENT, _EPERM, _EACCES = 2, 1, 13

Relation = Tuple[Tuple[str, ...], str]
"""The path of a tag, which is its sections and its name, and the tag's value."""


class Unavailable(Exception):
    """This Python can load no libkrb5, or one without profile functions (Heimdal's)."""


class Failure(NamedTuple):
    """Why libkrb5 does not read a configuration."""

    kind: str
    """``missing``, ``unreadable``, ``syntax``, ``include``, ``module`` or ``unknown``."""
    message: str
    """The text of libkrb5."""


class Configuration(NamedTuple):
    """What libkrb5 returns for a KRB5_CONFIG."""

    relations: Tuple[Relation, ...]
    failure: Optional[Failure]


def read_configuration(paths: str) -> Configuration:
    """Return all relations of the files in a KRB5_CONFIG, which are separated by colons.

    The values of each tag are in the order of libkrb5. Raises Unavailable.
    """
    import ctypes

    library = _load()
    profile = ctypes.c_void_p()
    code = library.profile_init_path(_encoded(paths), ctypes.byref(profile))
    if code:
        return Configuration((), Failure(_kind(code), _message(library, code)))
    try:
        return Configuration(tuple(_relations(library, profile, ())), None)
    finally:
        library.profile_release(profile)


def default_cache_name() -> str:
    """Return the name of this process's default cache; empty if libkrb5 does not start.

    The cache is not opened, because it can be a FIFO. Raises Unavailable.
    """
    import ctypes

    library, context = _load(), ctypes.c_void_p()
    if library.krb5_init_context(ctypes.byref(context)):
        return ""
    try:
        return _decoded(library.krb5_cc_default_name(context) or b"")
    finally:
        library.krb5_free_context(context)


def is_lifetime(text: str) -> Optional[bool]:
    """Return whether libkrb5 accepts a text as a duration; None if there is no libkrb5."""
    import ctypes

    try:
        seconds = ctypes.c_int32()
        return not _load().krb5_string_to_deltat(_encoded(text), ctypes.byref(seconds))
    except Unavailable:
        return None


def is_available() -> bool:
    """Return whether this Python can load libkrb5."""
    try:
        _load()
    except Unavailable:
        return False
    return True


def _load() -> Any:
    """Return libkrb5 with the types of its functions. Raises Unavailable."""
    try:
        import ctypes

        library = ctypes.CDLL(_LIBRARY)
        pointer, names = ctypes.c_void_p, ctypes.POINTER(ctypes.c_char_p)
        library.profile_init_path.argtypes = (ctypes.c_char_p, ctypes.POINTER(pointer))
        library.profile_release.argtypes = (pointer,)
        library.profile_free_list.argtypes = (names,)
        for function in (
            library.profile_get_values,
            library.profile_get_relation_names,
            library.profile_get_subsection_names,
        ):
            function.argtypes = (pointer, names, ctypes.POINTER(names))
        library.profile_init_path.restype = ctypes.c_long
        library.krb5_string_to_deltat.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
        library.krb5_init_context.argtypes = (ctypes.POINTER(pointer),)
        library.krb5_free_context.argtypes = (pointer,)
        library.krb5_cc_default_name.argtypes = (pointer,)
        library.krb5_cc_default_name.restype = ctypes.c_char_p
        library.krb5_get_error_message.argtypes = (pointer, ctypes.c_int32)
        library.krb5_get_error_message.restype = pointer
        library.krb5_free_error_message.argtypes = (pointer, pointer)
    except (ImportError, OSError, AttributeError) as error:
        raise Unavailable(str(error))
    return library


def _kind(code: int) -> str:
    code = (code + 2**31) % 2**32 - 2**31  # errcode_t is a long; the codes have 32 bits
    if code == _ENOENT:
        return "missing"
    if code in _SYNTAX:
        return "syntax"
    if code in _INCLUDE:
        return "include"
    if code in _MODULE:
        return "module"
    return "unreadable" if 0 < code < 256 else "unknown"  # 1 to 255: an errno


def _message(library: Any, code: int) -> str:
    import ctypes

    pointer = library.krb5_get_error_message(None, (code + 2**31) % 2**32 - 2**31)
    try:
        return _decoded(ctypes.string_at(pointer))
    finally:
        library.krb5_free_error_message(None, pointer)


def _relations(library: Any, profile: Any, path: Tuple[str, ...]) -> Iterator[Relation]:
    """Yield the relations below a section, and those of its subsections."""
    # Every relation is in a section, and libkrb5 returns none for an empty path.
    names = _texts(library, library.profile_get_relation_names, profile, path) if path else []
    for name in dict.fromkeys(names):  # a name occurs once for each file that has it
        for value in _texts(library, library.profile_get_values, profile, path + (name,)):
            yield path + (name,), value
    if len(path) < _MAX_DEPTH:
        names = _texts(library, library.profile_get_subsection_names, profile, path)
        for name in dict.fromkeys(names):
            yield from _relations(library, profile, path + (name,))


def _texts(library: Any, function: Any, profile: Any, path: Tuple[str, ...]) -> List[str]:
    import ctypes

    names = (ctypes.c_char_p * (len(path) + 1))(*map(_encoded, path))
    found = ctypes.POINTER(ctypes.c_char_p)()
    if function(profile, names, ctypes.byref(found)):
        return []
    texts: List[str] = []
    while found[len(texts)] is not None:
        texts.append(_decoded(found[len(texts)]))
    library.profile_free_list(found)
    return texts


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
