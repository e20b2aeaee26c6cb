"""Carry out what a finding says to write, as a reader would, in the text that it was found in."""

import re

REMOVED = {
    "origin-cleared": r"proxy_set_header\s+Origin\b",
    "origin-rewritten": r"proxy_set_header\s+Origin\b",
    "csp-at-proxy": r"(add_header|proxy_hide_header)\s+Content-Security-Policy\b",
    "cors-at-proxy": r"add_header\s+Access-Control-Allow-Origin\b",
    "cookie-httponly": r"proxy_cookie_\w+\b",
    "methods-refused": r"(if|limit_except)\b",
    "static-location": r"location\b",
    "prefix-changed": r"rewrite\b",
    "cached-by-browsers": r"expires\b",
    "ssl-on": r"ssl\b",
    "request-withheld": r"proxy_(set_header\s+Cookie|pass_request_body)\b",
    "cookies-withheld": r"proxy_hide_header\b",
    "errors-replaced": r"proxy_intercept_errors\b",
}
"""The directive of each finding that says to remove it."""


def carried_out(text, finding):
    """Return the text with the change; None where the next step is words."""
    number = int(finding.path.rpartition(":")[2])
    step = "".join(finding.next.parts)
    step, _, for_http = step.partition("Add to the http block: ")
    begin = sum(map(len, text.splitlines(True)[: number - 1]))
    if step.startswith("Replace this directive with: "):
        new = step[len("Replace this directive with: ") :].partition(" Set c.JupyterHub")[0]
        # Of the headers the same one, of other directives the same name.
        words = new.split()
        name = r"\s+".join(words[:2]) if words[0] == "proxy_set_header" else words[0]
        if finding.code == "no-upgrade" and not re.search(name, text[begin:].partition("\n")[0]):
            name = r"proxy_set_header\s+Connection"
        start, end = _directive(text, begin, "(?i)" + name + r"(?=\s)")
        text = text[:start] + new.strip() + text[end:]
    elif step.startswith("Add: "):
        pattern = r"proxy_set_header\s|proxy_pass\s|server\s*\{"
        start = begin + re.search(pattern, text[begin:]).start()
        if text[start:].startswith("server"):
            start = text.index("{", start) + 1
        text = text[:start] + " " + step[len("Add: ") :] + text[start:]
    elif step.startswith("Remove this directive."):
        start, end = _directive(text, begin, "(?i)" + REMOVED[finding.code])
        text = text[:start] + text[end:]
        listens = step.partition("Replace the listen directives with: ")[2]
        if listens:
            text = text[:begin] + re.sub(r"listen [^;]*;", listens, text[begin:], count=1)
            text = re.sub(r"(server \{\s*)listen 443;", r"\1" + listens, text)
    elif step.startswith("Remove default_server from listen. "):
        line = text[begin:].partition("\n")[0]
        text = text[:begin] + line.replace(" default_server", "") + text[begin + len(line) :]
    elif not for_http:
        return None
    return for_http + "\n" + text if for_http else text


def _directive(text, begin, pattern):
    """Where a directive of this line begins and ends, its block included."""
    start = begin + re.search(pattern, text[begin:]).start()
    depth, quote = 0, ""
    for at in range(start, len(text)):
        sign = text[at]
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "{" and text[at - 1] != "\\":
            depth += 1
        elif sign == "}":
            depth -= 1
        if not quote and depth == 0 and sign in ";}":
            return start, at + 1
    raise AssertionError("no end: " + text[start:])
