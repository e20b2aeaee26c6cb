"""Check each link and anchor of a built site: ``python tools/site_links.py DIR``; exit code 1.

Links to other hosts are not opened.
"""

import os
import sys
import urllib.parse
from html.parser import HTMLParser
from typing import Dict, List, Optional, Set, Tuple


class Page(HTMLParser):
    """The targets of a page's links and images, and its anchors."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.targets: List[str] = []
        self.anchors: Set[str] = set()
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag: str, attributes: List[Tuple[str, Optional[str]]]) -> None:
        """Keep what a tag refers to, and its name."""
        for name, value in attributes:
            if name in ("href", "src") and tag in ("a", "img", "link", "script"):
                self.targets.append(value or "")
            elif name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value or "")


def broken(site: str) -> List[str]:
    """Return a line for each link to a file or an anchor that does not exist."""
    walk = [found for found in os.walk(site) if os.path.basename(found[0]) != "_static"]
    paths = [os.path.join(top, name) for top, _, names in walk for name in names]
    pages: Dict[str, Page] = {path: Page(path) for path in paths if path.endswith(".html")}
    lines = []
    for path, page in sorted(pages.items()):
        for target in page.targets:
            url = urllib.parse.urlsplit(target)
            if url.scheme or url.netloc:
                continue
            file = urllib.parse.unquote(url.path)
            file = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            anchor = urllib.parse.unquote(url.fragment)
            if not os.path.exists(file):
                lines.append("%s: no file %s" % (os.path.relpath(path, site), target))
            elif anchor and file in pages and anchor not in pages[file].anchors:
                lines.append("%s: no anchor %s" % (os.path.relpath(path, site), target))
    return lines


if __name__ == "__main__":
    found = broken(sys.argv[1])
    print("\n".join(found) or "every link has a target")
    sys.exit(bool(found))
